"""Find the cells of search trials whose rows are lost, by replaying their searches."""

from itertools import islice

from study.plan.plan import Plan
from study.records.store import RecordStore
from study.search.sampler import CellStudy
from study.trial.outcome import recorded_outcomes


def searched_after_lost(plan: Plan, store: RecordStore, lost: set[str]) -> dict[str, list[str]]:
    """Return the recorded search trials that began after a lost one, by the id of each cell that lost one.

    A cell's k-th suggestion depends on k and on the trials recorded before it. Replayed after none, one, two, … of the
    recorded trials, a search suggests the lost trial at its original place. If several trials of a cell were in
    flight, or a failed one was repeated later, the original order is unknown, and a lost trial may not be found.
    """
    if not plan.searches:
        return {}
    outcomes = recorded_outcomes(store.read("trials"), store.read("curves"))
    found = {}
    for cell in plan.cells:
        own = {trial_id: o for trial_id, o in outcomes.items() if o.cell_id == cell.cell_id}
        for count in range(len(own) + 1):
            search = CellStudy(cell, plan, dict(islice(own.items(), count)))
            search.again.clear()
            spec = search.next()
            if spec is not None and spec.trial_id in lost:
                found[cell.cell_id] = list(own)[count:]
                break
    return found
