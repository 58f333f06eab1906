"""The expected cost of racing is that of trials in random order."""

import numpy as np
import pytest

from study.lifecycle.dry_run import _whole_runs
from study.plan.plan import make_plan
from study.search.asha import CellASHA
from study.space.file import load_space
from tests.search.test_asha import FakeTrial, race


@pytest.mark.parametrize(("num_trials", "grace", "factor"), [(16, 1, 4), (16, 2, 3), (6, 1, 2), (1, 1, 3), (6, 8, 3)])
def test_the_expected_cost_of_racing_agrees_with_races_in_random_order(
    num_trials, grace, factor, tiny_space, small_corpus
):
    """Trials of eight evaluations with constant curves, 200 times."""
    settings = [f"racing.grace_period={grace}", f"racing.reduction_factor={factor}"]
    plan = make_plan("s", load_space(tiny_space, None, settings, {}), small_corpus)
    assert plan.num_evaluations == 8
    rng, costs = np.random.default_rng(0), []
    for _ in range(200):
        asha = CellASHA(8, grace, factor)
        curves = np.tile(rng.random((num_trials, 1)), 8)
        ended = [race(asha, FakeTrial(str(k), "C1_N20"), curve) for k, curve in enumerate(curves)]
        costs.append(sum(8 if end == "ran" else int(end.split()[-1]) for end in ended) / 8)
    assert _whole_runs(plan, num_trials) == pytest.approx(np.mean(costs), rel=0.1)
