"""Hold everything that a report shows; each table is computed on first use and cached."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from study.analysis.best import best_configs
from study.analysis.candidates import context_in_pool
from study.analysis.compare import COLUMNS, comparisons
from study.analysis.context_use import context_use_table
from study.analysis.data_needed import data_needed_table
from study.analysis.gains import Gains, gains_of
from study.analysis.importance import importance
from study.analysis.interaction import Interaction, interaction, interaction_verdict
from study.analysis.law import CannotTell
from study.analysis.load import StudyRecords, arm_of, arms_of
from study.analysis.near_copies import without_near_copies
from study.analysis.patience import least_patience, patience_marks, patience_table
from study.analysis.pool_maps import PoolMaps, pool_maps
from study.analysis.pools import pool_curve
from study.analysis.searched import searched_lines
from study.analysis.steps import steps_table
from study.analysis.two_maps import TwoMaps, two_maps
from study.analysis.variance_shares import VarianceShares, variance_shares
from study.analysis.variant_gains import gains_by_variant
from study.analysis.variants import above_oracle_of_all, by_data, cells_of_all, is_one_map
from study.analysis.verdict import Verdict
from study.analysis.verdicts import Answers, MapAnswers, answer, limited


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the records of one study show."""

    study: StudyRecords

    @cached_property
    def cells(self) -> pd.DataFrame:
        return cells_of_all(self.study)

    @cached_property
    def best(self) -> dict:
        return best_configs(self.study, self.cells)

    @cached_property
    def above_oracle(self) -> pd.DataFrame:
        return above_oracle_of_all(self.study)

    @cached_property
    def patience(self) -> pd.DataFrame:
        return patience_table(self.study)

    @cached_property
    def gains_by_variant(self) -> pd.DataFrame:
        return gains_by_variant(self.study)

    @cached_property
    def steps(self) -> pd.DataFrame:
        return steps_table(self.study)

    @cached_property
    def least_patience(self) -> pd.DataFrame:
        return least_patience(self.patience)

    @cached_property
    def answers(self) -> dict[str, Answers]:
        """The answers by arm; a study without arms has one empty name. Empty if the cells are not one map."""
        if not is_one_map(self.study):
            return {}
        return {arm: answer(self.study, arm) for arm in arms_of(self.study)}

    @property
    def arms(self) -> list[str]:
        """The arms that have answers; a study without arms has one empty name."""
        return [arm for arm, answers in self.answers.items() if answers]

    def cells_of(self, arm: str) -> pd.DataFrame:
        """Return the cells of one arm."""
        return self.cells[[arm_of(cell) == arm for cell in self.cells.cell_id]]

    @cached_property
    def gains(self) -> dict[str, Gains]:
        """What more data brings, by arm."""
        return {arm: self._gains(self.answers[arm], arm) for arm in self.arms}

    @cached_property
    def gains_at_common(self) -> dict[str, Gains | None]:
        """The same on the map at one configuration; None where there is none."""
        return {arm: other and self._gains(other, arm) for arm, other in self._at_common.items()}

    def _gains(self, found: Answers | MapAnswers, arm: str) -> Gains:
        law = found.law  # before `refusals`: what is not asked yet is not refused yet
        return gains_of(found.hit_map, law, found.refusals.get("law"), self.cells_of(arm))

    @property
    def _at_common(self) -> dict[str, MapAnswers | None]:
        return {arm: self.answers[arm].at_common for arm in self.arms}

    @cached_property
    def data_needed(self) -> dict[str, pd.DataFrame | None]:
        """The sequences that a Hit@5 needs, by arm; None where there is no law."""
        laws = {arm: self.answers[arm].law for arm in self.arms}
        return {arm: law and data_needed_table(law, self.cells_of(arm)) for arm, law in laws.items()}

    @cached_property
    def interaction_verdicts(self) -> dict[str, Verdict]:
        """Whether the effect of N depends on C, by arm."""
        found = {}
        for arm, other in self._at_common.items():
            tuned = self.answers[arm].hit_map
            found[arm] = limited(interaction_verdict(tuned, other and other.hit_map), self.study, tuned)
        return found

    def interaction(self, arm: str) -> Interaction | None:
        """Return what an arm's tuned map shows of an interaction; None where it cannot be tested."""
        try:
            return interaction(self.answers[arm].hit_map)
        except CannotTell:
            return None

    @cached_property
    def variance_shares(self) -> dict[str, VarianceShares]:
        """Where the uncertainty of a cell comes from, by arm."""
        return {arm: variance_shares(self.study, arm) for arm in self.arms}

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        return comparisons(self.study) if is_one_map(self.study) else pd.DataFrame(columns=COLUMNS)

    @cached_property
    def context_use(self) -> dict[str, pd.DataFrame]:
        """What each arm's models lose without their older vectors, at the largest C."""
        return {arm: context_use_table(self.study, arm) for arm in self.arms}

    @cached_property
    def pool_curve(self) -> pd.DataFrame:
        return pd.concat([pool_curve(part) for part in by_data(self.study)])

    @cached_property
    def pool_maps(self) -> dict[str, PoolMaps]:
        """Each arm's map at every pool that a reader can choose."""
        laws = {arm: answers.law for arm, answers in self.answers.items() if answers}
        return {arm: pool_maps(self.study, arm, law) for arm, law in laws.items()}

    @cached_property
    def two_maps(self) -> dict[str, TwoMaps | None]:
        """Each arm's tuned map beside its map at one configuration; None where there is no second map."""
        return {arm: two_maps(self.study, arm) for arm in self.arms}

    @cached_property
    def context_in_pool(self) -> pd.DataFrame:
        return context_in_pool(self.study)

    @cached_property
    def near_copies(self) -> pd.DataFrame:
        return without_near_copies(self.study)

    @cached_property
    def patience_marks(self) -> pd.DataFrame:
        return patience_marks(self.study)

    @cached_property
    def searched_lines(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return searched_lines(self.study)

    @cached_property
    def importance(self) -> pd.DataFrame:
        return importance(self.study)

    @property
    def problems(self) -> list[str]:
        """The reasons why this study exits with status 1, one sentence each."""
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
        """What a complete study would have and this one lacks, one sentence each."""
        space = self.study.manifest.space
        lacking = [
            f"not measured: {count} of {space.replicates} replicates of {cell}"
            for cell, count in self.study.missing_confirm.items()
        ]
        if self.study.planned_common is not None:
            lacking += [
                f"not measured at one configuration: {count} of {space.replicates} replicates of {cell}"
                for cell, count in self.study.planned_common.missing_confirm.items()
            ]
        return lacking + [
            f"not fully searched: {count} of {space.racing.num_samples} configurations of {cell}"
            for cell, count in self.study.missing_search.items()
        ]
