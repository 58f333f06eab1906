"""What judges a tortured study sees each way in which it could have gone wrong."""

import shutil
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.torture.compare import Count, Watch, differences


@pytest.fixture
def pair(sound: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A finished study, to be spoilt, and the same one as it was."""
    return shutil.copytree(sound / "s", tmp_path / "tortured"), sound / "s"


def change(study: Path, part: str, column: str, value: object) -> None:
    """Change one value of the first recorded part that has one."""
    path = next(p for p in sorted((study / part).iterdir()) if pd.read_parquet(p)[column].notna().any())
    table = pd.read_parquet(path)
    table.loc[table.index[0], column] = value
    table.to_parquet(path)


def twice(study: Path) -> None:
    part = next((study / "trials").iterdir())
    shutil.copy(part, part.with_name("again.parquet"))


def missing(study: Path) -> None:
    next((study / "trials").iterdir()).unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
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
def test_a_study_that_ended_otherwise_is_told(pair, spoil, said):
    study, undisturbed = pair
    spoil(study)
    assert differences(study, undisturbed) == said


def test_a_fault_is_charged_with_what_was_lost_or_ran_again_after_it(pair):
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
