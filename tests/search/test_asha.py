"""Races stay within their cell and round, and depend only on the records."""

import json

import pytest
from ray.tune.schedulers import TrialScheduler

from study.driver.tune_run import race_for
from study.plan.plan import make_plan
from study.search.asha import CellASHA
from study.space.file import load_space
from study.trial.outcome import Outcome, best_so_far


class FakeTrial:
    def __init__(
        self, trial_id: str, cell_id: str, stage: str = "search", replicate: int = 0, schedule: str = "cosine"
    ):
        self.trial_id = trial_id
        spec = {"cell_id": cell_id, "stage": stage, "replicate": replicate, "recipe": {"schedule": schedule}}
        self.config = {"specs": [spec], "trial_ids": [trial_id]}


def result(index: int, value: float, final: bool = False) -> dict:
    return {"eval_index": index, "val_hit_at_5": value, "final": final}


def race(scheduler, trial, curve) -> str:
    scheduler.on_trial_add(None, trial)
    for index, value in enumerate(curve, 1):
        decision = scheduler.on_trial_result(None, trial, result(index, value, final=index == 9))
        if decision == TrialScheduler.STOP:
            return f"stopped at {index}"
    return "ran"


def scheduler() -> CellASHA:
    return CellASHA(max_evaluations=9, grace_period=2, reduction_factor=2)


def test_a_weak_trial_is_pruned_by_its_own_cell_only():
    asha = scheduler()
    assert race(asha, FakeTrial("a", "C4_N4000"), [0.9] * 9) == "ran"
    assert race(asha, FakeTrial("b", "C1_N125"), [0.1] * 9) == "ran"
    assert race(asha, FakeTrial("c", "C1_N125"), [0.05] * 9) == "stopped at 2"
    assert race(asha, FakeTrial("d", "C4_N4000"), [0.8] * 9) == "stopped at 2"
    assert asha.pruned == {"c", "d"}


def test_the_second_round_is_a_race_of_its_own():
    asha = scheduler()
    assert race(asha, FakeTrial("a", "C1_N125"), [0.9] * 9) == "ran"
    assert race(asha, FakeTrial("b", "C1_N125", replicate=-1), [0.5] * 9) == "ran"
    assert race(asha, FakeTrial("c", "C1_N125", replicate=-1), [0.4] * 9) == "stopped at 2"


@pytest.mark.parametrize("stage", ["confirm", "baseline"])
def test_confirm_and_baseline_trials_are_not_raced(stage):
    asha = scheduler()
    race(asha, FakeTrial("a", "C1_N125"), [0.9] * 9)
    assert race(asha, FakeTrial("b", "C1_N125", stage), [0.0] * 9) == "ran"


def test_a_run_that_decays_at_its_end_neither_loses_a_race_nor_decides_one():
    """At equal evaluations one `wsd` run may have decayed while the other still trains at its peak rate."""
    asha = scheduler()
    assert race(asha, FakeTrial("decayed", "C1_N125", schedule="wsd"), [0.9] * 9) == "ran"
    assert race(asha, FakeTrial("at its peak", "C1_N125", schedule="wsd"), [0.1] * 9) == "ran"
    assert race(asha, FakeTrial("cosine", "C1_N125"), [0.5] * 9) == "ran"
    assert race(asha, FakeTrial("weak cosine", "C1_N125"), [0.4] * 9) == "stopped at 2"


def test_recorded_runs_that_decay_at_their_end_fill_no_rung(tiny_space, small_corpus):
    plan = make_plan("s", load_space(tiny_space, None, [], {}), small_corpus)
    curve = tuple(enumerate([0.9] * 8, 1))
    known = {
        name: Outcome("C1_N20", "completed", 0.9, json.dumps({"schedule": name}), curve) for name in ("cosine", "wsd")
    }
    only_wsd, both = race_for(plan, {"wsd": known["wsd"]}), race_for(plan, known)
    assert race(only_wsd, FakeTrial("a", "C1_N20"), [0.1] * 7) == "ran"
    assert race(both, FakeTrial("a", "C1_N20"), [0.1] * 7) == "stopped at 1"


def test_recorded_curves_fill_the_rungs_as_live_ones_do():
    live, replayed = scheduler(), scheduler()
    race(live, FakeTrial("a", "C1_N125"), [0.5, 0.6, 0.7, 0.8])
    replayed.fill_rungs(("C1_N125", 0), "x", tuple(enumerate([0.5, 0.6, 0.7, 0.8], 1)))
    for curve in ([0.5, 0.55, 0.56, 0.57], [0.7] * 9, [0.1] * 9):
        assert race(live, FakeTrial(str(curve), "C1_N125"), curve) == race(
            replayed, FakeTrial(str(curve), "C1_N125"), curve
        )


def test_a_falling_recorded_curve_fills_the_rungs_with_its_best_so_far_as_live_reports_do():
    live, replayed = scheduler(), scheduler()
    race(live, FakeTrial("a", "C1_N125"), [0.5, 0.5, 0.5, 0.8, 0.8])  # a trial reports its best value so far
    curve = tuple(enumerate([0.5, 0.3, 0.35, 0.8, 0.2], 1))
    replayed.fill_rungs(("C1_N125", 0), "a", best_so_far(curve, [1.0] * 5, "hit_at_5"))
    for asha in (live, replayed):
        assert race(asha, FakeTrial("b", "C1_N125"), [0.4] * 9) == "stopped at 2"
        assert race(asha, FakeTrial("c", "C1_N125"), [0.6] * 9) == "stopped at 4"


def test_a_trial_that_has_ended_is_not_pruned_on_its_last_result():
    asha = scheduler()
    race(asha, FakeTrial("a", "C1_N125"), [0.9] * 9)
    trial = FakeTrial("b", "C1_N125")
    asha.on_trial_add(None, trial)
    asha.on_trial_result(None, trial, result(1, 0.1))
    assert asha.on_trial_result(None, trial, result(2, 0.1, final=True)) == TrialScheduler.CONTINUE
    assert not asha.pruned


def test_a_retried_trial_can_be_added_again():
    asha = scheduler()
    trial = FakeTrial("a", "C1_N125")
    race(asha, trial, [0.5, 0.6])
    assert race(asha, trial, [0.5, 0.6, 0.7]) == "ran"
    asha.on_trial_complete(None, trial, result(3, 0.7))
    asha.on_trial_remove(None, trial)


def test_a_trial_that_selects_by_loss_reports_hit_at_5_at_its_lowest_loss():
    curve = tuple(enumerate([0.5, 0.3, 0.35, 0.8, 0.2], 1))
    reported = best_so_far(curve, [3.0, 2.0, 2.0, 2.5, 1.0], "loss")
    assert [value for _, value in reported] == [0.5, 0.3, 0.3, 0.3, 0.2]
