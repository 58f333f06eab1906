"""Find the cells of search trials whose rows are lost, by the list of candidates."""

from study.plan.plan import Plan
from study.records.columns import FINALS_REPLICATE, SEARCH_REPLICATE
from study.records.manifest import Params
from study.records.store import RecordStore
from study.search.rounds import StudySearch
from study.trial.ledger import Ledger
from study.trial.outcome import recorded_outcomes


def searched_after_lost(
    plan: Plan, store: RecordStore, candidates: list[Params], lost: set[str]
) -> dict[str, list[str]]:
    """Return the recorded search trials that were raced after a lost one, by the id of each cell that lost one.

    In a cell, a candidate was raced after those before it in the list. The order of a second round is not used: all of
    it counts as raced after a lost trial of the cell. A lost trial of a second round that would not run again, since
    the list has grown or its cells have, is no loss.
    """
    recorded = set(store.read("trials", ["trial_id"]).trial_id)
    second_round = _second_round(plan, store, candidates)
    found = {}
    for cell in plan.cells:
        listed, finals = (
            [plan.spec(cell, "search", replicate, params).trial_id for params in candidates]
            for replicate in (SEARCH_REPLICATE, FINALS_REPLICATE)
        )
        needed = set(finals) if second_round is None else second_round
        first = next((place for place, trial_id in enumerate(listed) if trial_id in lost), len(listed))
        if first < len(listed) or lost & set(finals) & needed:
            found[cell.cell_id] = [trial_id for trial_id in (*listed[first:], *finals) if trial_id in recorded]
    return found


def _second_round(plan: Plan, store: RecordStore, candidates: list[Params]) -> set[str] | None:
    """Return the ids of the trials that the recorded list leads to in the second round; None before its end."""
    trials = store.read("trials")
    search = StudySearch(plan, Ledger(store, trials, recorded_outcomes(trials, store.read("curves"))), candidates)
    search.next()  # at the end of the list, it begins the second round
    if any(cell.finals is None for cell in search.cells):
        return None
    return {trial_id for cell in search.cells for _, trial_id in cell.finals}
