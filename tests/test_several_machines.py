"""Studies on several machines: a node dies in mid-study; records on an S3 server. Nodes are Ray's own, on this host."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from study.driver.session import QUIET
from study.records import RecordStore
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


@pytest.fixture
def s3(monkeypatch):
    """An S3 server of this test, with a bucket; returns the URI of a folder in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        import pyarrow.fs as pafs

        host = f"127.0.0.1:{port}"
        pafs.S3FileSystem(endpoint_override=host, scheme="http", allow_bucket_creation=True).create_dir("bucket")
        yield f"s3://bucket/results?endpoint_override={host}&scheme=http"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_a_study_on_s3_is_the_same_study_and_resumes(s3, small, small_file, sound, tmp_path):  # noqa: F811
    done = run(small, small_file, s3)
    assert done.returncode == 0, done.stderr
    store = RecordStore.at(s3.replace("/results", "/results/s"))
    mine = store.read("ranks").sort_values(["trial_id", "split", "query_id"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, ranks(sound))
    victim = store.parts("curves")[0]
    store.write_bytes(f"curves/{victim}", b"PAR1 torn")
    again = run(small, small_file, s3, "--resume")
    assert again.returncode == 0, again.stderr
    assert victim in again.stdout and "set_aside" in again.stdout
    mine = store.read("ranks").sort_values(["trial_id", "split", "query_id"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, ranks(sound))
    assert store.exists(f"set_aside/curves/{victim}")
