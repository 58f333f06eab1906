"""Compare Hit@5 with and without a query's own context among its candidates."""

import pandas as pd

from study.analysis.load import KEY, StudyRecords

LEFT_OUT, LEFT_IN = "test_hit_at_5", "test_hit_at_5_context_in_pool"


def context_in_pool(study: StudyRecords) -> pd.DataFrame:
    """Return both figures of every cell and baseline, means over replicates: one row each.

    hit_at_5: the query's own last C_max vectors are no candidates; hit_at_5_context_in_pool: they are, in a pool of the
    same size. Empty where they are not left out, or for records of a version that did not measure both.
    """
    trials = pd.concat([study.measured("confirm"), study.measured("baseline")])
    both = trials[trials[LEFT_IN].notna()]
    means = both.groupby([*KEY, "model"], dropna=False)[[LEFT_OUT, LEFT_IN]].mean().reset_index()
    means.columns = [*KEY, "model", "hit_at_5", "hit_at_5_context_in_pool"]
    return means.assign(change=means.hit_at_5 - means.hit_at_5_context_in_pool)
