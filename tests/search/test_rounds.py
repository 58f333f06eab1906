"""The search of a whole study: the same list in every cell, whatever the order of arrival and the interruptions."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from study.plan.plan import Plan, make_plan
from study.search.candidates import NUM_STARTUP
from study.search.rounds import StudySearch
from study.space.file import load_space
from study.trial.outcome import Outcome


@pytest.fixture
def planned(tiny_space, small_corpus):
    return lambda *more: make_plan("s", load_space(tiny_space, None, ["racing.num_samples=9", *more], {}), small_corpus)


@pytest.fixture
def plan(planned) -> Plan:
    return planned()


class Records:
    """What a search reads of a ledger, and the manifest that outlives its driver."""

    def __init__(self):
        self.outcomes, self.recorded, self.candidates = {}, set(), []

    def remember(self, candidates: list[dict]) -> None:
        self.candidates = json.loads(json.dumps(candidates))

    def end(self, spec, status: str = "completed", value: float | None = None) -> None:
        value = value_of(spec) if value is None else value
        self.outcomes[spec.trial_id] = Outcome(
            spec.cell_id, status, value, json.dumps(spec.recipe), ((1, value),), spec.replicate
        )
        self.recorded.add(spec.trial_id)


def value_of(spec) -> float:
    """A synthetic objective: the best learning rate is 0.02 for long contexts, and lower for short ones."""
    best = 0.02 if spec.context_length > 1 else 0.003
    return 0.5 - abs(np.log10(spec.recipe["learning_rate"] / best)) / 10 + spec.replicate / 100


def search_of(plan: Plan, records: Records, **more) -> StudySearch:
    return StudySearch(plan, records, records.candidates, remember=records.remember, **more)


def search(plan: Plan, records: Records, stop_after: int | None = None, order=None) -> StudySearch:
    """Run a search in memory with up to three trials at a time, until so many have ended."""
    study, running = search_of(plan, records), []
    while stop_after is None or len(records.recorded) < stop_after:
        while len(running) < 3 and (spec := study.next()):
            running.append(spec)
        if not running:
            break
        records.end(running.pop(order.randrange(len(running)) if order else 0))
    return study


def searched(records: Records, cell_id: str, replicate: int = 0) -> list[str]:
    """Return the searched configurations of a cell, in the order of their end."""
    own = [o for o in records.outcomes.values() if (o.cell_id, o.replicate) == (cell_id, replicate)]
    return [json.dumps({key: json.loads(o.config)[key] for key in ("alpha", "learning_rate")}) for o in own]


def test_every_cell_tries_the_same_candidates_in_the_same_order(plan):
    records = Records()
    search(plan, records)
    lists = {cell.cell_id: searched(records, cell.cell_id) for cell in plan.cells}
    assert len(records.candidates) == 9
    assert all(
        tried == [json.dumps(params, sort_keys=True) for params in records.candidates] for tried in lists.values()
    )


def test_costly_cells_come_first_and_one_trial_of_a_cell_runs_at_a_time(plan):
    study = search_of(plan, Records())
    first = [study.next() for _ in plan.cells]
    assert {spec.cell_id for spec in first} == {cell.cell_id for cell in plan.cells}
    assert first[0].context_length == 4
    assert {(spec.recipe["learning_rate"], spec.recipe["alpha"]) for spec in first} == {(1e-2, 0.03)}
    assert study.next() is None
    assert not study.is_over


def test_a_candidate_is_proposed_once_all_before_it_have_ended_in_all_cells(plan):
    records = Records()
    study = search_of(plan, records)
    for _ in range(NUM_STARTUP * len(plan.cells) - 1):
        records.end(study.next())
    last = study.next()
    assert study.next() is None and len(records.candidates) == NUM_STARTUP, "a trial is still running"
    records.end(last)
    assert study.next() is not None and len(records.candidates) == NUM_STARTUP + 1


def test_the_trials_depend_neither_on_arrival_order_nor_on_interruption(plan):
    undisturbed, shuffled = Records(), Records()
    chosen = search(plan, undisturbed).chosen()
    assert search(plan, shuffled, order=random.Random(1)).chosen() == chosen
    assert shuffled.recorded == undisturbed.recorded
    for stop in (7, 20, 38, 41):
        records = Records()
        search(plan, records, stop_after=stop)
        assert search(plan, records).chosen() == chosen
        assert records.recorded == undisturbed.recorded and records.outcomes == undisturbed.outcomes


def test_a_longer_list_begins_as_the_shorter_one_and_ends_as_if_it_had_been_long_from_the_start(planned):
    """Whatever the choice of the shorter one was: its second round may have had other finalists."""
    for short in (2, 6):
        grown, large = Records(), Records()
        search(planned(f"racing.num_samples={short}"), grown)
        before = grown.candidates
        search(planned(), grown)
        search(planned(), large)
        assert grown.candidates == large.candidates
        assert grown.candidates[:short] == before


def test_new_cells_try_the_recorded_list(planned):
    records = Records()
    search(planned("cells.num_sequences=[20]"), records)
    before = records.candidates
    search(planned(), records)
    assert records.candidates == before
    assert searched(records, "C4_N60") == searched(records, "C4_N20")


def test_with_several_in_flight_a_round_is_proposed_together_and_a_resumed_search_repeats_nothing(planned):
    plan, records = planned("racing.in_flight_per_cell=3"), Records()
    search(plan, records, stop_after=20)
    assert len(records.candidates) == NUM_STARTUP + 3
    begun = dict(records.outcomes)
    search(plan, records)
    assert begun.items() <= records.outcomes.items()
    assert [len(searched(records, cell.cell_id)) for cell in plan.cells] == [9] * 4


def test_a_failed_trial_of_an_earlier_run_is_run_again_first(plan):
    records = Records()
    search(plan, records)
    lost = next(trial_id for trial_id, outcome in records.outcomes.items() if outcome.cell_id == "C4_N60")
    records.outcomes[lost] = replace(records.outcomes[lost], status="failed", value=None)
    records.recorded.remove(lost)
    study = search_of(plan, records)
    assert study.next().trial_id == lost
    assert study.next() is None and not study.is_over


def test_the_winner_of_the_second_round_is_the_tuned_configuration_and_the_list_only_nominates(plan):
    """The list's best of each cell gets the lowest value in the second round."""
    records = Records()
    study = search_of(plan, records)
    while spec := study.next():
        own = [o.value for o in records.outcomes.values() if (o.cell_id, o.replicate) == (spec.cell_id, 0)]
        is_best_of_list = spec.replicate == -1 and value_of(spec) + 0.01 == max(own)
        records.end(spec, value=0.1 if is_best_of_list else None)
    tuned, _ = study.chosen()
    for cell_id, params in tuned.items():
        own = {o.value: o.config for o in records.outcomes.values() if (o.cell_id, o.replicate) == (cell_id, 0)}
        best_of_list = json.loads(own[max(own)])
        assert params != {key: best_of_list[key] for key in params}
        assert json.dumps(params, sort_keys=True) in searched(records, cell_id, replicate=-1)


def test_a_second_round_with_one_finalist_needs_no_trial(planned):
    plan, records = planned("cells={context_length: [4], num_sequences: [60]}"), Records()
    study = search(plan, records)
    assert study.is_over
    assert {outcome.replicate for outcome in records.outcomes.values()} == {0}
    tuned, common = study.chosen()
    assert tuned == common
    assert max(
        searched(records, "C4_N60"), key=lambda text: -abs(np.log10(json.loads(text)["learning_rate"] / 0.02))
    ) == (json.dumps(tuned["C4_N60"], sort_keys=True))


def test_a_closed_search_waits_for_running_trials_and_chooses_from_what_there_is(plan):
    records = Records()
    study = search_of(plan, records)
    for _ in range(6):
        records.end(study.next())
    running = list(iter(study.next, None))
    study.close()
    assert study.next() is None and not study.is_over
    for spec in running:
        records.end(spec)
    assert study.is_over
    tuned, common = study.chosen()
    assert set(tuned) == set(common) == {cell.cell_id for cell in plan.cells}
    assert len({json.dumps(params) for params in common.values()}) == 1


def test_without_any_result_the_first_point_to_evaluate_is_measured(plan):
    study = search_of(plan, Records())
    study.close()
    tuned, common = study.chosen()
    assert set(map(json.dumps, [*tuned.values(), *common.values()])) == {json.dumps(plan.space.point_params(0))}


def test_settled_cells_are_not_searched(plan):
    records = Records()
    study = StudySearch(plan, records, [], settled=["C4_N60", "C4_N20", "C1_N20"])
    while spec := study.next():
        records.end(spec)
    assert {outcome.cell_id for outcome in records.outcomes.values()} == {"C1_N60"}
    assert set(study.chosen()[0]) == {"C1_N60"}


def test_what_is_still_to_run_falls_to_nothing_and_is_never_too_low(plan):
    records, study, totals = Records(), None, []
    study = search_of(plan, records)
    while spec := study.next():
        totals.append(len(records.recorded) + len(study.still_to_run()))
        records.end(spec)
    assert totals == sorted(totals, reverse=True) and totals[-1] == len(records.recorded)
    assert totals[0] == 9 * 4 + 4 * 4
    assert study.still_to_run() == []


def test_a_finite_space_is_counted_as_it_is_and_a_search_that_is_over_proposes_nothing(planned):
    """Regression: an exhausted space was sampled again at every call, some a second until the study ended."""
    plan = planned("search={learning_rate: null}", "start=[{alpha: 0.03}]", "fixed.learning_rate=0.01")
    records, proposed = Records(), []
    study = search_of(plan, records, propose=lambda *given: proposed.append(given))
    assert len(study.still_to_run()) == 4 * (2 + 2)
    while spec := study.next():
        records.end(spec)
    assert study.is_over and len(proposed) == 1, "the space was asked for a third candidate"
    assert study.next() is None and len(proposed) == 1
