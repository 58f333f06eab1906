"""Track a study's records from fault to fault, and compare them with an undisturbed study at the end."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

SAME = ["stage", "cell_id", "status", "stop_reason", "num_steps"]
SAME += ["val_hit_at_5", "val_mrr", "test_hit_at_5", "test_mrr"]


@dataclass
class Count:
    """One line of the table."""

    tries: int = 0
    survived: int = 0
    lost: int = 0
    repeated: int = 0


@dataclass
class Watch:
    """Tracks the records of one study from fault to fault, and charges each fault with the trials that it cost."""

    counts: dict[str, Count]
    latest: dict[str, tuple[object, str]] = field(default_factory=dict)

    def see(self, study: Path, fault: str) -> None:
        """Note the records just before a fault: a trial with a new end time was repeated."""
        for trial_id, when in recorded(study).items():
            if trial_id in self.latest and self.latest[trial_id][0] != when:
                self.counts[self.latest[trial_id][1]].repeated += 1
            self.latest[trial_id] = (when, fault)

    def close(self, study: Path) -> None:
        """Note the records at the end of a study: a trial that is missing was lost."""
        now = recorded(study)
        for trial_id, (when, fault) in self.latest.items():
            self.counts[fault].lost += trial_id not in now
            self.counts[fault].repeated += trial_id in now and now[trial_id] != when


def recorded(study: Path) -> dict[str, pd.Timestamp]:
    """Return when each recorded trial ended, by id; unreadable files are ignored."""
    found = {}
    for file in (study / "trials").glob("[!.]*.parquet"):
        try:
            row = pd.read_parquet(file, columns=["trial_id", "finished_at", "status"]).iloc[0]
        except (OSError, ValueError, IndexError):
            continue
        if row.status not in ("failed", "infeasible"):
            found[row.trial_id] = row.finished_at
    return found


def differences(study: Path, undisturbed: Path) -> list[str]:
    """Return the differences between a finished study and an undisturbed one."""
    mine, other = (pd.read_parquet(folder / "trials") for folder in (study, undisturbed))
    found = []
    if not mine.trial_id.is_unique:
        found.append(f"{int(mine.trial_id.duplicated().sum())} trials are recorded twice")
    missing, more = set(other.trial_id) - set(mine.trial_id), set(mine.trial_id) - set(other.trial_id)
    found += [f"{len(missing)} trials are missing"] * bool(missing) + [f"{len(more)} trials are new"] * bool(more)
    common = sorted(set(other.trial_id) & set(mine.trial_id))
    rows = [trials.drop_duplicates("trial_id").set_index("trial_id").loc[common, SAME] for trials in (mine, other)]
    if not rows[0].equals(rows[1]):
        found.append("figures of common trials differ")
    if not _ranks(study, common).equals(_ranks(undisturbed, common)):
        found.append("ranks of common trials differ")
    if not _context_use(study, common).equals(_context_use(undisturbed, common)):
        found.append("the use of context of common trials differs")
    return found


def _ranks(study: Path, trial_ids: list[str]) -> pd.DataFrame:
    ranks = pd.read_parquet(study / "ranks")
    return ranks[ranks.trial_id.isin(trial_ids)].sort_values(["trial_id", "split", "query_id"]).reset_index(drop=True)


def _context_use(study: Path, trial_ids: list[str]) -> pd.DataFrame:
    if not (study / "context_use").exists():  # no trial of the study has measured it
        return pd.DataFrame()
    use = pd.read_parquet(study / "context_use")
    return use[use.trial_id.isin(trial_ids)].sort_values(["trial_id", "num_kept", "chain_id"]).reset_index(drop=True)
