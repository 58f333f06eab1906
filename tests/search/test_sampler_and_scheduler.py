"""Suggestions and races stay within their cell, and depend only on the records."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from ray.tune.schedulers import TrialScheduler

from study.driver.tune_run import race_for
from study.plan.plan import make_plan
from study.search.asha import CellASHA
from study.search.sampler import CellSampler
from study.space.file import load_space
from study.trial.outcome import Outcome, best_so_far


@pytest.fixture
def plan(tiny_space, small_corpus):
    return make_plan("s", load_space(tiny_space, None, ["racing.num_samples=9"], {}), small_corpus)


def value_of(spec) -> float:
    """A synthetic objective: the best learning rate is 0.02."""
    return 0.5 - abs(np.log10(spec.recipe["learning_rate"] / 0.02)) / 10


def search(plan, recorded=None, stop_after=None, order=None) -> dict[str, Outcome]:
    """Run a whole search in memory with up to three trials at a time; return outcomes by id in order of their end."""
    sampler, outcomes, running = CellSampler(plan, dict(recorded or {})), dict(recorded or {}), []
    while not sampler.finished and (stop_after is None or len(outcomes) < stop_after):
        while len(running) < 3 and (spec := sampler.next()):
            running.append(spec)
        if not running:
            continue
        spec = running.pop(order.randrange(len(running)) if order else 0)
        outcomes[spec.trial_id] = Outcome(
            spec.cell_id, "completed", value_of(spec), ((1, value_of(spec)),), json.dumps(spec.recipe)
        )
        sampler.tell(spec, outcomes[spec.trial_id])
    return outcomes


def test_the_default_recipe_is_tried_first_in_every_cell(plan):
    sampler = CellSampler(plan, {})
    first = [sampler.next() for _ in plan.cells]
    assert {spec.cell_id for spec in first} == {cell.cell_id for cell in plan.cells}
    assert {(spec.recipe["learning_rate"], spec.recipe["alpha"]) for spec in first} == {(1e-2, 0.03)}
    assert first[0].context_length == 4, "costly cells come first"


def test_one_trial_of_a_cell_runs_at_a_time(plan):
    sampler = CellSampler(plan, {})
    for _ in plan.cells:
        assert sampler.next() is not None
    assert sampler.next() is None
    assert not sampler.finished


def test_every_cell_gets_its_number_of_different_configurations(plan):
    outcomes = search(plan)
    counts = {cell.cell_id: 0 for cell in plan.cells}
    for outcome in outcomes.values():
        counts[outcome.cell_id] += 1
    assert set(counts.values()) == {9}


def test_the_set_of_trials_depends_neither_on_arrival_order_nor_on_interruption(plan):
    undisturbed = search(plan)
    shuffled = search(plan, order=random.Random(1))
    assert set(shuffled) == set(undisturbed)
    for stop in (1, 7, 20, 35):
        resumed = search(plan, recorded=search(plan, stop_after=stop))
        assert set(resumed) == set(undisturbed)


def test_with_several_in_flight_a_resumed_search_repeats_nothing_and_keeps_its_count(tiny_space, small_corpus):
    settings = ["racing.num_samples=9", "racing.in_flight_per_cell=3"]
    plan = make_plan("s", load_space(tiny_space, None, settings, {}), small_corpus)
    begun = search(plan, stop_after=20)
    resumed = search(plan, recorded=begun)
    assert set(begun) <= set(resumed)
    assert len(resumed) == 9 * len(plan.cells)
    assert CellSampler(plan, resumed).next() is None


def test_a_failed_trial_is_rerun_with_its_own_configuration(plan):
    outcomes = search(plan)
    lost = next(trial_id for trial_id, outcome in outcomes.items() if outcome.cell_id == "C4_N60")
    outcomes[lost] = replace(outcomes[lost], status="failed", value=None)
    sampler = CellSampler(plan, outcomes)
    assert not sampler.is_over("C4_N60")
    assert sampler.next().trial_id == lost
    assert sampler.next() is None


def test_suggestions_learn_from_their_own_cell(tiny_space, small_corpus):
    plan = make_plan("s", load_space(tiny_space, None, ["racing.num_samples=24"], {}), small_corpus)
    outcomes = list(search(plan).values())
    for cell in plan.cells:
        values = [outcome.value for outcome in outcomes if outcome.cell_id == cell.cell_id]
        assert np.mean(values[-10:]) > np.mean(values[1:6]), "later suggestions are better than the random first ones"


def test_optuna_gets_pruned_trials_as_pruned_and_failures_as_failed(plan):
    sampler = CellSampler(plan, {})
    for status in ("completed", "pruned", "diverged", "failed"):
        spec = next(s for s in iter(sampler.next, None) if s.cell_id == "C4_N60")
        value = 0.4 if status in ("completed", "pruned") else None
        sampler.tell(spec, Outcome("C4_N60", status, value, ((1, 0.3), (2, 0.4)) if value else ()))
        for other in list(sampler.cells.values()):
            for trial_id in list(other.running):
                other.tell(trial_id, Outcome(other.cell.cell_id, "completed", 0.1))
    states = [trial.state.name for trial in sampler.cells["C4_N60"].study.trials[:4]]
    assert states == ["COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert sampler.cells["C4_N60"].study.trials[1].intermediate_values == {1: 0.3, 2: 0.4}


def test_an_exhausted_finite_space_ends_its_cell(tiny_space, small_corpus):
    settings = ["search={learning_rate: null}", "start=[{alpha: 0.03}]", "fixed.learning_rate=0.01"]
    plan = make_plan("s", load_space(tiny_space, None, settings, {}), small_corpus)
    assert len(search(plan)) == 2 * len(plan.cells)


class FakeTrial:
    def __init__(self, trial_id: str, cell_id: str, stage: str = "search", schedule: str = "cosine"):
        self.trial_id = trial_id
        spec = {"cell_id": cell_id, "stage": stage, "recipe": {"schedule": schedule}}
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
        name: Outcome("C1_N20", "completed", 0.9, curve, json.dumps({"schedule": name}), curve)
        for name in ("cosine", "wsd")
    }
    only_wsd, both = race_for(plan, {"wsd": known["wsd"]}), race_for(plan, known)
    assert race(only_wsd, FakeTrial("a", "C1_N20"), [0.1] * 7) == "ran"
    assert race(both, FakeTrial("a", "C1_N20"), [0.1] * 7) == "stopped at 1"


def test_recorded_curves_fill_the_rungs_as_live_ones_do():
    live, replayed = scheduler(), scheduler()
    race(live, FakeTrial("a", "C1_N125"), [0.5, 0.6, 0.7, 0.8])
    replayed.fill_rungs("C1_N125", "x", tuple(enumerate([0.5, 0.6, 0.7, 0.8], 1)))
    for curve in ([0.5, 0.55, 0.56, 0.57], [0.7] * 9, [0.1] * 9):
        assert race(live, FakeTrial(str(curve), "C1_N125"), curve) == race(
            replayed, FakeTrial(str(curve), "C1_N125"), curve
        )


def test_a_falling_recorded_curve_fills_the_rungs_with_its_best_so_far_as_live_reports_do():
    live, replayed = scheduler(), scheduler()
    race(live, FakeTrial("a", "C1_N125"), [0.5, 0.5, 0.5, 0.8, 0.8])  # a trial reports its best value so far
    curve = tuple(enumerate([0.5, 0.3, 0.35, 0.8, 0.2], 1))
    replayed.fill_rungs("C1_N125", "a", best_so_far(curve, [1.0] * 5, "hit_at_5"))
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
