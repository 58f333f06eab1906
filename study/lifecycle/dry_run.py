"""Print a plan and an estimate of its time, from measured steps."""

import math
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lvm_core.trainer import Trainer
from study.host.machine import num_cpus
from study.lifecycle.power import power_line
from study.messages.durations import duration
from study.plan.plan import Cell, Plan
from study.search.candidates import most_candidates
from study.search.choice import most_finalists
from study.trial.node import one_thread

MEASURED_STEPS = 2
LABELS = {
    "list": "{:,} trials of the list of candidates",
    "finals": "at most {:,} of the second round",
    "tuned": "{:,} confirm trials of the tuned map",
    "common": "at most {:,} of the common map",
}
RACED = ("list", "finals")


@dataclass(frozen=True)
class Timing:
    """Seconds per optimizer step and per evaluation at one context length, on one thread."""

    step_s: float
    eval_s: float


@dataclass(frozen=True)
class Seconds:
    """Seconds of all trials on one worker: with pruning as expected, and at most."""

    expected: float = 0.0
    most: float = 0.0


def measure(plan: Plan, cell: Cell) -> Timing:
    """Time a few steps and an evaluation of a cell's default recipe, after one warm-up step."""
    recipe = plan.recipe(cell, {})
    config = recipe.training_part(cell.context_length, cell.num_sequences, plan.space.patience.longest)
    trainer = Trainer(plan.dataset_of(cell), recipe.model_part(plan.corpus.dim), config, plan.space.seed)
    trainer.train_step()
    started = time.perf_counter()
    for _ in range(MEASURED_STEPS):
        trainer.train_step()
    stepped = time.perf_counter()
    trainer.evaluator.measure(trainer.model, "validation")
    return Timing((stepped - started) / MEASURED_STEPS, time.perf_counter() - stepped)


def longest_run_s(plan: Plan, cell: Cell, timing: Timing) -> float:
    """Return the duration of a trial that is neither pruned nor stopped early."""
    recipe = plan.recipe(cell, {})
    return recipe.max_steps * timing.step_s + -(-recipe.max_steps // recipe.eval_interval) * timing.eval_s


def cells_by_cost(plan: Plan) -> list[list[Cell]]:
    """Group the cells whose steps cost the same: those of one context length, variant and row."""
    groups: dict[tuple, list[Cell]] = {}
    for cell in sorted(plan.cells, key=lambda cell: (cell.context_length, cell.num_sequences)):
        groups.setdefault((cell.context_length, cell.variant, cell.row), []).append(cell)
    return list(groups.values())


def print_plan(plan: Plan, num_workers: int | None, console: Console) -> None:
    """Print the question, the data, the cells, the number of trials and the estimated time."""
    one_thread()
    num_workers = num_workers or num_cpus()
    _print_text(console, f"{plan.space.question.strip()}\n\n{_data_summary(plan)}\n")
    for warning in plan.warnings():
        _print_text(console, f"warning: {warning}")
    table, seconds = _timing_table(plan)
    console.print(table)
    _print_text(console, _totals(plan, seconds, num_workers))
    if line := power_line(plan):
        _print_text(console, line)


def _totals(plan: Plan, seconds: Seconds, num_workers: int) -> str:
    """Return the number of trials of each kind, and their time."""
    counts = {name: sum(_trials_of(plan, cell)[name] for cell in plan.cells) for name in LABELS}
    baselines = sum(len(job) for job in plan.baseline_jobs())
    found = [LABELS[name].format(count) for name, count in counts.items() if count]
    expected = f"about {duration(seconds.expected / num_workers)} with pruning, " if plan.searches else ""
    return (
        f"{', '.join(found)}, and {baselines} baselines on {num_workers} workers: {expected}at most about "
        f"{duration(seconds.most / num_workers)} (no pruning, no early stopping; from measured steps)"
    )


def _trials_of(plan: Plan, cell: Cell) -> dict[str, int]:
    """Return the trials of a cell by kind; those of the second round and of the common map are the most possible."""
    return {
        "list": most_candidates(plan.space) if plan.searches else 0,
        "finals": most_finalists(plan, cell) if plan.searches else 0,
        "tuned": plan.space.replicates,
        "common": plan.space.replicates * (plan.num_maps - 1),
    }


def _whole_runs(plan: Plan, num_trials: int) -> float:
    """Return the cost that racing leaves of a cell's trials, in whole runs, if they come in random order.

    The n-th trial to reach a rung passes it with a chance of 1/r + (1 - 1/r) / n, where r is the reduction factor.
    """
    racing, total = plan.space.racing, plan.num_evaluations
    cost, before, rung, left = 0.0, 0, min(racing.grace_period, total), float(num_trials)
    while before < total and left:
        cost += left * (rung - before) / total
        harmonic = math.log(left) + 0.577 + 0.5 / left  # 1 + 1/2 + … + 1/left
        left = left / racing.reduction_factor + (1 - 1 / racing.reduction_factor) * harmonic
        before, rung = rung, min(rung * racing.reduction_factor, total)
    return cost


def _print_text(console: Console, text: str) -> None:
    console.print(text, highlight=False)


def _data_summary(plan: Plan) -> str:
    corpus, dataset = plan.corpus, plan.dataset
    queries = dataset.queries["test"]
    return (
        f"corpus {corpus.name}: {corpus.num_vectors:,} vectors of {corpus.dim} dims in {corpus.num_chains:,} documents"
        f"; split {plan.split_fingerprint}\n"
        f"{len(queries.positions):,} test queries, pool {queries.pool_size:,}, "
        f"{len(dataset.train_positions):,} training targets with {plan.max_context} vectors before them"
    )


def _timing_table(plan: Plan) -> tuple[Table, Seconds]:
    """Time every group of cells; return the table of them and the seconds of all trials."""
    table = Table("C", "N", "cells", "trials", "s/step", "longest trial")
    seconds = Seconds()
    for cells in cells_by_cost(plan):
        counts = [_trials_of(plan, cell) for cell in cells]
        longest_s = longest_run_s(plan, cells[0], timing := measure(plan, cells[0]))
        num_trials = sum(sum(count.values()) for count in counts)
        whole = sum(_whole_runs(plan, n) if name in RACED else n for count in counts for name, n in count.items())
        seconds = Seconds(seconds.expected + longest_s * whole, seconds.most + longest_s * num_trials)
        names = [str(cells[0].context_length), *(n for n in (cells[0].row, cells[0].variant) if n)]
        sizes = ", ".join(str(size) for size in sorted({cell.num_sequences for cell in cells}))
        counted = [sizes, str(len(cells)), str(num_trials)]
        table.add_row(" ".join(names), *counted, f"{timing.step_s:.4f}", duration(longest_s))
    for cell in plan.infeasible:
        table.add_row(str(cell.context_length), str(cell.num_sequences), "infeasible", "0", "-", "-")
    return table, seconds
