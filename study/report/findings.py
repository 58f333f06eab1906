"""Gather once what the terminal and the files both show."""

from dataclasses import dataclass

import pandas as pd

from study.analysis.best import best_configs
from study.analysis.load import StudyRecords
from study.analysis.patience import patience_table
from study.analysis.variants import above_oracle_of_all, cells_of_all


@dataclass(frozen=True, eq=False)
class Findings:
    """All findings of a study, from its records alone."""

    study: StudyRecords
    cells: pd.DataFrame
    best: dict
    above_oracle: pd.DataFrame
    patience: pd.DataFrame

    @classmethod
    def of(cls, study: StudyRecords) -> "Findings":
        table = cells_of_all(study)
        return cls(study, table, best_configs(study, table), above_oracle_of_all(study), patience_table(study))

    @property
    def problems(self) -> list[str]:
        """What makes this study end with status 1, each as a sentence."""
        study, found = self.study, []
        for row in study.failed.itertuples():
            reason = str(row.error).strip().splitlines()[-1]
            found.append(f"{row.status}: {row.stage} {row.cell_id} ({row.trial_id}): {reason}")
        for row in self.above_oracle.itertuples():
            found.append(
                f"leak: {row.cell_id} replicate {row.replicate:.0f} has test Hit@5 {row.test_hit_at_5:.3f}, above the "
                f"oracle's {row.oracle_hit_at_5:.3f} beyond chance ({row.trial_id})"
            )
        return found

    @property
    def gaps(self) -> list[str]:
        """What a whole study would have and this one lacks, each as a sentence."""
        space = self.study.manifest["space"]
        lacking = [
            f"not measured: {count} of {space['replicates']} replicates of {cell}"
            for cell, count in self.study.missing_confirm.items()
        ]
        return lacking + [
            f"searched less: {count} of {space['racing']['num_configs']} configurations of {cell}"
            for cell, count in self.study.missing_search.items()
        ]
