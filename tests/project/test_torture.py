"""The comparison after a torture run detects every way in which a study can differ."""

import shutil
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.torture.compare import Count, Watch, differences


@pytest.fixture
def pair(sound: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A finished study to damage, and the original."""
    return shutil.copytree(sound / "s", tmp_path / "tortured"), sound / "s"


def change(study: Path, table: str, column: str, value: object) -> None:
    """Change one value in the first record file that has one."""
    path = next(p for p in sorted((study / table).iterdir()) if pd.read_parquet(p)[column].notna().any())
    rows = pd.read_parquet(path)
    rows.loc[rows.index[0], column] = value
    rows.to_parquet(path)


def twice(study: Path) -> None:
    file = next((study / "trials").iterdir())
    shutil.copy(file, file.with_name("again.parquet"))


def missing(study: Path) -> None:
    next((study / "trials").iterdir()).unlink()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda study: None, []),
        (twice, ["1 trials are recorded twice"]),
        (missing, ["1 trials are missing"]),
        (lambda study: change(study, "trials", "trial_id", "other"), ["1 trials are missing", "1 trials are new"]),
        (lambda study: change(study, "trials", "val_mrr", 0.123), ["figures of common trials differ"]),
        (lambda study: change(study, "ranks", "rank", 99), ["ranks of common trials differ"]),
    ],
    ids=["untouched", "twice", "missing", "other-id", "figure", "rank"],
)
def test_a_study_that_ended_differently_is_detected(pair, damage, found):
    study, undisturbed = pair
    damage(study)
    assert differences(study, undisturbed) == found


def test_each_fault_is_charged_with_the_trials_lost_or_repeated_after_it(pair):
    study, _ = pair
    first, second = sorted((study / "trials").iterdir())[:2]
    counts = {"kill": Count(), "full disk": Count()}
    watch = Watch(counts)
    watch.see(study, "kill")
    row = pd.read_parquet(first)
    row["finished_at"] += timedelta(seconds=1)
    row.to_parquet(first)
    watch.see(study, "full disk")
    second.unlink()
    watch.close(study)
    assert (counts["kill"].repeated, counts["kill"].lost) == (1, 0)
    assert (counts["full disk"].repeated, counts["full disk"].lost) == (0, 1)
