"""Test whether a difference is shown to be small: two one-sided tests.

Source: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987).
"""

import numpy as np
from scipy.stats import t

from study.analysis.mrmc import Estimate

MARGIN = 0.01  # one point of Hit@5: the smallest difference that counts


def equivalence_p_value(found: Estimate, margin: float = MARGIN) -> float:
    """Return the p-value of "it is at least as large as the margin", in either direction: the larger of the two."""
    room = margin - abs(found.value)
    if found.variance == 0:
        return float(room <= 0)
    return float(t.sf(room / np.sqrt(found.variance), found.df))
