"""Print a plan, with the time it will take judged from measured steps."""

import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from lvm_core.trainer import Trainer
from study.host.machine import num_cpus
from study.messages.durations import duration
from study.plan.plan import Cell, Plan
from study.trial.node import one_thread

MEASURED_STEPS = 2


@dataclass(frozen=True)
class Timing:
    """Seconds of one optimizer step and one evaluation at a context length, on one thread."""

    step_s: float
    eval_s: float


def measure(plan: Plan, cell: Cell) -> Timing:
    """Time a few steps and an evaluation of a cell's default recipe, after one step to warm up."""
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
    """Return the seconds of a trial that is neither pruned nor stopped early."""
    recipe = plan.recipe(cell, {})
    return recipe.max_steps * timing.step_s + -(-recipe.max_steps // recipe.eval_interval) * timing.eval_s


def timed_alike(plan: Plan) -> list[list[Cell]]:
    """Return the cells in lists of equal cost: of one context, and of one variant and row where there are any."""
    alike: dict[tuple, list[Cell]] = {}
    for cell in sorted(plan.cells, key=lambda cell: (cell.context_length, cell.num_sequences)):
        alike.setdefault((cell.context_length, cell.variant, cell.row), []).append(cell)
    return list(alike.values())


def print_plan(plan: Plan, num_workers: int | None, console: Console) -> None:
    """Print cells, infeasible cells, trials and the estimated time."""
    one_thread()
    num_workers = num_workers or num_cpus()
    split, dataset = plan.split_fingerprint, plan.dataset
    queries = dataset.queries["test"]
    say = lambda text: console.print(text, highlight=False)  # noqa: E731
    say(f"{plan.space.question.strip()}\n")
    say(
        f"corpus {plan.corpus.name}: {plan.corpus.num_vectors:,} vectors of {plan.corpus.dim} dims in "
        f"{plan.corpus.num_chains:,} chains; split {split}\n"
        f"{len(queries.positions):,} queries a part, pool {len(queries.pool_rows):,}, "
        f"{len(dataset.train_positions):,} training targets with {plan.max_context} vectors before them\n"
    )
    for warning in plan.warnings():
        say(f"warning: {warning}")
    per_cell = (plan.space.racing.num_samples if plan.searches else 0) + plan.space.replicates
    table = Table("C", "N", "cells", "trials", "s/step", "longest trial")
    total_s = 0.0
    for cells in timed_alike(plan):
        longest_s = longest_run_s(plan, cells[0], timing := measure(plan, cells[0]))
        total_s += len(cells) * per_cell * longest_s
        sizes = ", ".join(str(size) for size in sorted({cell.num_sequences for cell in cells}))
        names = [str(cells[0].context_length), *(n for n in (cells[0].row, cells[0].variant) if n)]
        counts = [sizes, str(len(cells)), str(len(cells) * per_cell)]
        table.add_row(" ".join(names), *counts, f"{timing.step_s:.4f}", duration(longest_s))
    for cell in plan.infeasible:
        table.add_row(str(cell.context_length), str(cell.num_sequences), "infeasible", "0", "-", "-")
    console.print(table)
    baselines = sum(len(job) for job in plan.baseline_jobs())
    say(
        f"{len(plan.cells) * per_cell} trials and {baselines} baselines on {num_workers} workers: "
        f"at most about {duration(total_s / num_workers)} (no racing, no early stop; from measured steps)"
    )
