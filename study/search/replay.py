"""Find the cells of search trials whose rows are gone, by asking their searches again."""

from itertools import islice

from study.plan.plan import Plan
from study.records.store import RecordStore
from study.search.sampler import CellStudy
from study.trial.outcome import recorded_outcomes


def searched_after_lost(plan: Plan, store: RecordStore, lost: set[str]) -> dict[str, list[str]]:
    """Return the recorded search trials that began after a lost one, by the id of each cell that lost one.

    A cell's k-th suggestion follows from k and from what was recorded before: asked again after none, one, two, … of
    the recorded trials, a search suggests the lost one where it once began. Where several trials of a cell are in
    flight, or a failed one was repeated later, the order of before is not known, and a lost trial may not be found.
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
