"""Studies on several machines: a node dies in mid-study; records on an S3 server. Nodes are Ray's own, on this host."""

import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from study.driver.session import QUIET
from tests.test_faults import ROOT, line, ranks, rows, run, small, sound  # noqa: F401

MIB = 1 << 20


@pytest.fixture
def cluster(monkeypatch):
    """A head that trains nothing, and two nodes of one CPU."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 * MIB})
    yield made, [made.add_node(num_cpus=1, object_store_memory=100 * MIB) for _ in range(2)]
    made.shutdown()


@pytest.mark.slow
def test_a_study_survives_the_death_of_a_node(cluster, small, small_file, sound, tmp_path):  # noqa: F811
    made, nodes = cluster
    command = line(small, small_file, tmp_path, "--address", made.address)
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for_a_record(tmp_path / "s" / "trials", driver)
        made.remove_node(nodes[0], allow_graceful=False)
        said, _ = driver.communicate(timeout=240)
    finally:
        driver.kill()
    assert driver.returncode == 0, said
    assert "Traceback" not in said
    assert set(rows(tmp_path).trial_id) == set(rows(sound).trial_id)
    assert set(rows(tmp_path).status) == {"completed"}
    pd.testing.assert_frame_equal(ranks(tmp_path), ranks(sound))


def wait_for_a_record(folder: Path, driver: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not list(folder.glob("*.parquet")):
        assert driver.poll() is None and time.monotonic() < deadline, "the study wrote no record"
        time.sleep(0.05)
