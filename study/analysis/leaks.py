"""Find impossible results: a trial that is above the oracle beyond chance has seen data that it should not."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from study.analysis.cells import ORACLE, per_query
from study.analysis.intervals import clustered_standard_error
from study.analysis.load import StudyRecords

FALSE_ALARM = 0.01  # rate of a study without a leak, over all its confirm trials


def above_oracle(study: StudyRecords) -> pd.DataFrame:
    """Return the confirm trials whose test Hit@5 lies above the oracle's on the same queries, beyond chance.

    One-sided z test of the paired difference with documents as clusters, Bonferroni over the trials of the study.
    """
    confirm, measured = study.measured("confirm"), study.measured("baseline")
    oracles = dict(measured[measured.model == ORACLE].groupby("context_length").trial_id.first())
    if not oracles or confirm.empty:
        return confirm.iloc[:0]
    limit = norm.isf(FALSE_ALARM / len(confirm))
    found = [_excess_z(study, row.trial_id, oracles[row.context_length]) > limit for row in confirm.itertuples()]
    return confirm[found]


def _excess_z(study: StudyRecords, trial_id: str, oracle_id: str) -> float:
    values, chain_ids = per_query(study, [trial_id, oracle_id])
    difference = values[0] - values[1]
    error = clustered_standard_error(difference, chain_ids)
    if error == 0:  # all documents have the same difference: none at all, or one beyond doubt
        return 0.0 if difference.mean() == 0 else float(np.sign(difference.mean()) * np.inf)
    return float(difference.mean() / error)
