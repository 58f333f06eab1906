"""Find the cells of search trials whose rows are lost, by the list of candidates."""

from study.plan.plan import Plan
from study.records.columns import FINALS_REPLICATE, SEARCH_REPLICATE
from study.records.store import RecordStore


def searched_after_lost(plan: Plan, store: RecordStore, candidates: list[dict], lost: set[str]) -> dict[str, list[str]]:
    """Return the recorded search trials that were raced after a lost one, by the id of each cell that lost one.

    In a cell, a candidate was raced after those before it in the list. The order of a second round is not known, so
    all of it counts as raced after a lost trial of the cell.
    """
    recorded = set(store.read("trials", ["trial_id"]).trial_id)
    found = {}
    for cell in plan.cells:
        listed, finals = (
            [plan.spec(cell, "search", replicate, params).trial_id for params in candidates]
            for replicate in (SEARCH_REPLICATE, FINALS_REPLICATE)
        )
        first = next((place for place, trial_id in enumerate(listed) if trial_id in lost), len(listed))
        if first < len(listed) or lost & set(finals):
            found[cell.cell_id] = [trial_id for trial_id in (*listed[first:], *finals) if trial_id in recorded]
    return found
