"""The trainer version protects recorded studies: it changes if, and only if, numbers change."""

import subprocess
import sys

import pytest

from lvm_core.version import TRAINER_VERSION
from tests.studies import ROOT
from tests.trial import golden

CHANGED = (
    "the numbers of recorded trials would change. If that is intended, raise TRAINER_VERSION in lvm_core/version.py, "
    "run `python -m tests.trial.golden`, and add the change to CHANGELOG.md; if not, find the cause"
)


@pytest.fixture(scope="module")
def found() -> dict:
    return dict(golden.runs())


@pytest.fixture(scope="module")
def recorded() -> dict:
    return golden.recorded()


def test_the_golden_runs_are_of_this_version(recorded):
    assert recorded["trainer_version"] == TRAINER_VERSION, "run `python -m tests.trial.golden`"


def test_ids_splits_and_counts_match_the_golden_file_on_every_machine(found, recorded):
    assert found.keys() == recorded["facts"].keys()
    for name, facts in recorded["facts"].items():
        for key in golden.COUNTS:
            assert found[name].get(key) == facts.get(key), f"{key} of the run {name}: {CHANGED}"


def test_numbers_match_the_golden_file_to_the_bit_if_the_arithmetic_is_the_same(found, recorded):
    digests = recorded["digests"].get(golden.arithmetic())
    if digests is None:
        pytest.skip("no golden runs are recorded for this processor's arithmetic; the next test compares within bounds")
    other = [name for name, digest in digests.items() if found[name]["digest"] != digest]
    assert not other, f"{other}: {CHANGED}"


def test_numbers_match_the_golden_file_within_bounds_on_every_machine(found, recorded):
    for name, facts in recorded["facts"].items():
        for key in (*golden.FIGURES, "train_loss"):
            if key in facts:
                assert found[name][key] == pytest.approx(facts[key], rel=0.02, abs=0.02), f"{key} of {name}: {CHANGED}"


def test_another_number_changes_the_digest(monkeypatch, found):
    monkeypatch.setattr("lvm_core.schedule.FINAL_LEARNING_RATE", 0.100001)
    name, facts = next(run for run in golden.runs() if "trial_id" in run[1])
    assert facts["digest"] != found[name]["digest"]
    assert facts["trial_id"] == found[name]["trial_id"], "which is why the version must be raised by hand"


def test_work_is_split_as_recorded(recorded):
    assert golden.micro_batches() == recorded["micro_batches"], CHANGED


def test_other_numbers_are_not_recorded_under_the_same_version(found, recorded, monkeypatch):
    other = {name: dict(facts) for name, facts in found.items()}
    other["controlled, gru"]["digest"] = "0" * 16
    recorded["digests"].setdefault(golden.arithmetic(), {name: facts["digest"] for name, facts in found.items()})
    assert golden.differences(found, recorded) == []
    assert golden.differences(other, recorded) == ["controlled, gru"]
    monkeypatch.setattr(golden, "runs", lambda: iter(other.items()))
    monkeypatch.setattr(golden, "recorded", lambda: recorded)
    with pytest.raises(SystemExit, match="raise TRAINER_VERSION first"):
        golden.record()


@pytest.mark.slow
def test_a_docstring_changes_no_id(tmp_path):
    """Regression: one changed word in a docstring made every recorded study impossible to resume."""
    code = "from tests.trial.golden import runs; print(next(f['trial_id'] for _, f in runs() if 'trial_id' in f))"
    for package in ("lvm_core", "study", "tests"):
        (tmp_path / package).symlink_to(ROOT / package)
    before = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "lvm_core").unlink()
    subprocess.run(["cp", "-r", str(ROOT / "lvm_core"), str(tmp_path / "lvm_core")], check=True)
    errors = tmp_path / "lvm_core" / "errors.py"
    errors.write_text(errors.read_text().replace('"""', '"""Changed. ', 1))
    after = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert after.stdout == before.stdout and len(after.stdout.strip()) == 16
