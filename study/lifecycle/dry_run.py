"""Print a plan and an estimate of its time, from measured steps."""

import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lvm_core.trainer import Trainer
from study.host.machine import num_cpus
from study.lifecycle.power import power_line
from study.messages.durations import duration
from study.plan.plan import Cell, Plan
from study.trial.node import one_thread

MEASURED_STEPS = 2


@dataclass(frozen=True)
class Timing:
    """Seconds per optimizer step and per evaluation at one context length, on one thread."""

    step_s: float
    eval_s: float


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
    table, total_s = _timing_table(plan)
    console.print(table)
    baselines = sum(len(job) for job in plan.baseline_jobs())
    _print_text(
        console,
        f"{len(plan.cells) * _trials_per_cell(plan)} trials and {baselines} baselines on {num_workers} workers: "
        f"at most about {duration(total_s / num_workers)} (no pruning, no early stopping; from measured steps)",
    )
    if line := power_line(plan):
        _print_text(console, line)


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


def _trials_per_cell(plan: Plan) -> int:
    return (plan.space.racing.num_samples if plan.searches else 0) + plan.space.replicates


def _timing_table(plan: Plan) -> tuple[Table, float]:
    """Time every group of cells; return the table of them and the total seconds on one worker."""
    table = Table("C", "N", "cells", "trials", "s/step", "longest trial")
    total_s = 0.0
    for cells in cells_by_cost(plan):
        num_trials = len(cells) * _trials_per_cell(plan)
        longest_s = longest_run_s(plan, cells[0], timing := measure(plan, cells[0]))
        total_s += num_trials * longest_s
        names = [str(cells[0].context_length), *(n for n in (cells[0].row, cells[0].variant) if n)]
        sizes = ", ".join(str(size) for size in sorted({cell.num_sequences for cell in cells}))
        counts = [sizes, str(len(cells)), str(num_trials)]
        table.add_row(" ".join(names), *counts, f"{timing.step_s:.4f}", duration(longest_s))
    for cell in plan.infeasible:
        table.add_row(str(cell.context_length), str(cell.num_sequences), "infeasible", "0", "-", "-")
    return table, total_s
