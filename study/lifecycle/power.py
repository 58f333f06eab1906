"""Print what a planned study can show, before anything is trained."""

from dataclasses import replace

from rich.console import Console
from rich.table import Column, Table

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import measure_baseline
from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k
from study.analysis.holm import LEVEL
from study.analysis.load import load_study
from study.analysis.power import POWER, half_width, least_difference, queries_needed
from study.analysis.power_basis import Basis, basis_of, measured_basis
from study.analysis.spread import Design, Spread
from study.analysis.units import Units
from study.plan.plan import Plan

WITNESS = "context_ema"  # the baseline whose hits show how alike the queries of one document are
OTHER_REPLICATES = (5, 10)
NOTE = (
    "points: the least difference that one comparison finds; in parentheses, the first of all neighbouring pairs after "
    "Holm. Queries grow with their documents. Where each cell has a configuration of its own, the luck of the search "
    "comes on top."
)


def print_power(plan: Plan, points: float, recorded: str | None, console: Console) -> None:
    """Print expected intervals, the least differences found, and the queries that a difference of `points` needs.

    recorded: the location of a study whose variances are used; without it, those measured on two corpora and the
    document effect of this corpus. Raises: InputError if the cells of the plan share no queries.
    """
    if not shares_queries(plan):
        raise InputError(
            "--power needs a plan whose cells share their queries, but this one has several sets of queries. "
            "Give a study without variants and rows, such as scaling."
        )
    units = units_of(plan)
    basis = measured_basis(document_correlation(plan, units)) if recorded is None else basis_of(load_study(recorded))
    design = Design.of(units, plan.space.replicates)

    def write(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    write(
        f"{design.num_queries:,} test queries in {units.label}, {_counted(design.num_replicates, 'replicate')}; "
        f"{basis.source}"
    )
    write(f"a cell's 95 % interval: about {_plus_minus(half_width(basis.cell, design))} points")
    console.print(_table(plan, basis, design, points))
    write(NOTE)


def power_line(plan: Plan) -> str | None:
    """Return the same in one line for the dry run; None if the cells share no queries."""
    if not shares_queries(plan):
        return None
    units = units_of(plan)
    basis, design = measured_basis(document_correlation(plan, units)), Design.of(units, plan.space.replicates)
    contexts, sizes = (100 * least_difference(spread, design) for spread in (basis.contexts, basis.sizes))
    return (
        f"power: a cell's interval about {_plus_minus(half_width(basis.cell, design))} points; two contexts that "
        f"differ by {contexts:.1f} points, or two N by {sizes:.1f}, are told apart with power {POWER} (more: --power)"
    )


def shares_queries(plan: Plan) -> bool:
    """Return whether all cells are judged on one set of queries."""
    return len(plan.datasets) == 1


def units_of(plan: Plan) -> Units:
    """Return the units of the planned test queries."""
    queries = plan.dataset.queries["test"]
    return Units.of(queries.chain_ids, queries.target_rows)


def document_correlation(plan: Plan, units: Units) -> float | None:
    """Return the correlation of two queries of one document, from a baseline's hits on the planned queries.

    None if documents are too few to show it, or if the baseline hits all queries or none.
    """
    found = measure_baseline(WITNESS, BaselineTask(plan.dataset, plan.max_context)).test
    hits = hit_at_k(found.rank, found.num_ties, 5)
    if not units.speak_of_documents or hits.std() == 0:
        return None
    return Spread.of(hits[None], units).document / float(hits.var())


def _table(plan: Plan, basis: Basis, design: Design, points: float) -> Table:
    counts = [design.num_replicates, *(count for count in OTHER_REPLICATES if count > design.num_replicates)]
    title = f"Found with power {POWER} at {LEVEL:.0%}, and queries (documents) needed for {_counted(points, 'point')}"
    names = Column("between", no_wrap=True)
    table = Table(names, "points (Holm)", *(_counted(count, "replicate") for count in counts), title=title)
    for name, spread, pairs in _families(plan, basis):
        found = [100 * least_difference(spread, design, level) for level in (LEVEL, LEVEL / pairs)]
        designs = [replace(design, num_replicates=count) for count in counts]
        needed = [_needed(spread, each, points) for each in designs]
        table.add_row(name, f"{found[0]:.1f} ({found[1]:.1f})", *needed)
    return table


def _families(plan: Plan, basis: Basis) -> list[tuple[str, Spread, int]]:
    """Return what is compared: name, spread, and the number of neighbouring pairs in the plan."""
    cells = {(cell.context_length, cell.num_sequences) for cell in plan.cells}
    contexts, sizes = ({key[axis] for key in cells} for axis in (0, 1))
    return [
        ("two contexts", basis.contexts, max(1, len(cells) - len(sizes))),
        ("two N", basis.sizes, max(1, len(cells) - len(contexts))),
    ]


def _needed(spread: Spread, design: Design, points: float) -> str:
    found = queries_needed(spread, design, points / 100)
    if found is None:
        return "none suffices"
    return f"{found:,} ({design.with_queries(found).num_documents:,})"


def _counted(count: float, noun: str) -> str:
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def _plus_minus(share: float) -> str:
    return f"±{100 * share:.1f}"
