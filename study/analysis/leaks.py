"""Find impossible results: a trial that is above the oracle beyond chance has seen data that it should not."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from study.analysis import mrmc
from study.analysis.cells import ORACLE, per_query
from study.analysis.load import StudyRecords

FALSE_ALARM = 0.01  # rate of a study without a leak, over all its confirm trials


def above_oracle(study: StudyRecords) -> pd.DataFrame:
    """Return the confirm trials whose test Hit@5 lies above the oracle's on the same queries, beyond chance.

    One-sided z test of the paired difference with documents as clusters, Bonferroni over the trials of the study.
    """
    confirm, measured = study.completed("confirm"), study.measured("baseline")
    oracles = dict(measured[measured.model == ORACLE].groupby("context_length").trial_id.first())
    if not oracles or confirm.empty:
        return confirm.iloc[:0]
    limit = norm.isf(FALSE_ALARM / len(confirm))
    found = [_excess_z(study, row.trial_id, oracles[row.context_length]) > limit for row in confirm.itertuples()]
    return confirm[found]


def _excess_z(study: StudyRecords, trial_id: str, oracle_id: str) -> float:
    values, units = per_query(study, [trial_id, oracle_id])
    found = mrmc.difference(values[:1], values[1:], units)
    if found.variance == 0:  # all documents have the same difference: none at all, or one beyond doubt
        return float(np.sign(found.value) * np.inf) if found.value else 0.0
    return float(found.value / np.sqrt(found.variance))
