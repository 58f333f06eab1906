"""A node with other code than the driver's refuses its trials in one sentence, whatever it has in place of it."""

import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from study.driver.tune_run import trainable_for
from study.host.code import code_fingerprint, shared_versions
from tests.studies import ROOT

# the function arrives as bytes; `tune.report` collects what it reports
RECEIVER = """
import pickle, sys
from pathlib import Path
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]  # of this checkout
sys.path[:0] = {paths}
from ray import tune
reported = []
tune.report = reported.append
pickle.loads(Path({job!r}).read_bytes())({{"specs": []}})
print([report["refusal"] for report in reported])
"""


def receive(job: Path, paths: list[str]) -> str:
    """Run the job in a process with these import paths; return the refusals that it reports."""
    code = RECEIVER.format(paths=paths, job=str(job))
    done = subprocess.run([sys.executable, "-c", code], cwd=job.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def job(tmp_path) -> Path:
    path = tmp_path / "job.pickle"
    path.write_bytes(cloudpickle.dumps(trainable_for(str(tmp_path), code_fingerprint(), shared_versions())))
    return path


@pytest.mark.slow
def test_a_node_with_the_same_code_runs_the_job(job):
    assert receive(job, [str(ROOT)]) == "[]\n"


@pytest.mark.slow
def test_a_node_with_another_torch_says_so(tmp_path):
    path = tmp_path / "job.pickle"
    versions = shared_versions() | {"torch": "1.0"}
    path.write_bytes(cloudpickle.dumps(trainable_for(str(tmp_path), code_fingerprint(), versions)))
    assert "must have the same versions, but this one has torch" in receive(path, [str(ROOT)])


@pytest.mark.slow
def test_a_node_whose_study_package_differs_says_so(job, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for package in ("lvm_core", "study"):
        subprocess.run(["cp", "-r", str(ROOT / package), str(other / package)], check=True)
    module = other / "study" / "messages" / "durations.py"
    module.write_text(module.read_text() + "# changed\n")
    assert "every node must have the same lvm_core/ and study/" in receive(job, [str(other)])


@pytest.mark.slow
def test_a_node_with_a_package_of_an_older_version_says_so(job, tmp_path):
    """Before, it failed when it unpickled the job, which counted as a worker lost before its trial began."""
    older = tmp_path / "older"
    for package in ("lvm_core", "study"):
        (older / package).mkdir(parents=True)
        (older / package / "__init__.py").touch()
    assert "every node must have this project's code, but No module named 'study.host'" in receive(job, [str(older)])
