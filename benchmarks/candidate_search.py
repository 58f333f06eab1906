"""Compare samplers of the list of candidates at equal length, on recorded trainings of kalman.

    python -m benchmarks.candidate_search [--table FILE] [--seeds 24]

160 configurations are trained in four small cells, 40 of them twice, and kept in FILE. A thin-plate surface through
their curves then stands for a trial of any configuration, with the noise that trainings on other draws have. Whole
studies are searched on it by the product's own code: the list, the races, the second round and the choice.

Regret is Hit@5 on the surface, in points: of the common configuration, below the best common one; of the cells' tuned
ones, below each cell's best, as the mean and the largest difference between two cells of a study. `full runs` counts
what racing left of all search trials of a cell.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from ray.tune.schedulers import TrialScheduler
from scipy.interpolate import RBFInterpolator
from scipy.stats import qmc

from lvm_core.corpus import open_corpus
from lvm_core.seeds import child_generator
from study.plan.plan import Plan, make_plan
from study.plan.trial_spec import TrialSpec
from study.records.columns import FINALS_REPLICATE, SEARCH_REPLICATE
from study.search.asha import METRIC, TIME, CellASHA
from study.search.candidates import next_candidate
from study.search.choice import nominee
from study.search.rounds import StudySearch
from study.space.file import load_space
from study.trial.outcome import Outcome
from study.trial.run import run_trial

NUM_CONFIGS, NUM_TWICE = 160, 40
SETTINGS = [
    "cells={context_length: [1, 4], num_sequences: [125, 2000]}", "data.num_queries=500", "fixed.hidden_dim=48",
    "fixed.max_steps=160", "fixed.eval_interval=16", "patience.replay=[10]", "search.learning_rate.high=0.03",
]  # fmt: skip
NUM_EVALUATIONS = 10
LENGTHS = (6, 16)
COLUMNS = ("common", "tuned", "largest difference", "list, full runs", "finals, full runs")


def plan_for(length: int, seed: int) -> Plan:
    space = load_space("scaling", "quick", [*SETTINGS, f"racing.num_samples={length}"], {})
    return replace(make_plan("b", space, open_corpus("kalman")), space=space.model_copy(update={"seed": seed}))


def record_table(path: Path) -> None:
    """Train every configuration in every cell and keep Hit@5, best so far. [replicate, cell, config, evaluation]."""
    plan = plan_for(6, 0)
    unit = qmc.Sobol(len(plan.space.search), seed=0).random(256)[:NUM_CONFIGS]
    curves = np.full((2, len(plan.cells), NUM_CONFIGS, NUM_EVALUATIONS), np.nan)
    for number, place in enumerate(unit):
        params = dict(zip(plan.space.search, (10 ** from_unit(plan, place)).tolist(), strict=True))
        for replicate in range(2 if number < NUM_TWICE else 1):
            for cell_number, cell in enumerate(plan.cells):
                updates = run_trial(plan.spec(cell, "search", -replicate, params))
                hits = [update.evaluation["val_hit_at_5"] for update in updates if update.evaluation]
                padded = (hits or [0.0]) + (hits or [0.0])[-1:] * NUM_EVALUATIONS  # a trial may diverge
                curves[replicate, cell_number, number] = np.maximum.accumulate(padded)[:NUM_EVALUATIONS]
    np.savez(path, unit=unit, curves=curves)


def bounds(plan: Plan) -> np.ndarray:
    """Return the searched domains in decades. [parameters, 2]."""
    return np.log10([(domain.low, domain.high) for domain in plan.space.search.values()])


def from_unit(plan: Plan, place: np.ndarray) -> np.ndarray:
    low, high = bounds(plan).T
    return low + place * (high - low)


@dataclass(frozen=True)
class Surface:
    """What a training of any configuration gives. noise: SD of Hit@5 between two draws, by cell."""

    plan: Plan
    fits: list[RBFInterpolator]
    noise: np.ndarray

    @classmethod
    def of(cls, plan: Plan, path: Path) -> "Surface":
        """Read the table. A smoothing of 0.01 leaves out what the draws of one training add."""
        table = np.load(path)
        first = table["curves"][0]
        fits = [RBFInterpolator(table["unit"], curves, smoothing=0.01, neighbors=40) for curves in first]
        change = np.diff(table["curves"][:, :, :NUM_TWICE, -1], axis=0)[0]  # what all have in common is no noise here
        return cls(plan, fits, change.std(axis=1, ddof=1) / np.sqrt(2))

    def place(self, params: list[dict[str, Any]]) -> np.ndarray:
        low, high = bounds(self.plan).T
        values = np.log10([[one[key] for key in self.plan.space.search] for one in params])
        return (values - low) / (high - low)

    def curves(self, cell_number: int, params: list[dict[str, Any]]) -> np.ndarray:
        """Return best-so-far Hit@5 of configurations in a cell. [configurations, evaluations]."""
        return self.at(cell_number, self.place(params))

    def at(self, cell_number: int, places: np.ndarray) -> np.ndarray:
        return np.maximum.accumulate(np.clip(self.fits[cell_number](places), 0, 1), axis=1)

    def best(self) -> tuple[np.ndarray, float]:
        """Return the best Hit@5 of each cell, and the best mean of one configuration over the cells."""
        inside = qmc.Sobol(len(self.plan.space.search), seed=1).random(8192)
        grid = np.clip(0.5 + 1.2 * (inside - 0.5), 0, 1)  # with the faces and corners of the space
        values = np.array([self.at(number, grid)[:, -1] for number in range(len(self.fits))])
        return values.max(1), float(values.mean(0).max())


class Made:
    """A ledger of made trials, raced as real ones are."""

    def __init__(self, surface: Surface, seed: int):
        self.surface, self.seed = surface, seed
        self.outcomes: dict[str, Outcome] = {}
        self.recorded: set[str] = set()
        racing = surface.plan.space.racing
        self.races = CellASHA(NUM_EVALUATIONS, racing.grace_period, racing.reduction_factor)
        self.numbers = {cell.cell_id: number for number, cell in enumerate(surface.plan.cells)}
        self.num_evaluations = {SEARCH_REPLICATE: 0, FINALS_REPLICATE: 0}

    def full_runs(self) -> dict[str, float]:
        """Return the cost of the list and of the second round, in whole trainings a cell."""
        whole = NUM_EVALUATIONS * len(self.numbers)
        names = {"list, full runs": SEARCH_REPLICATE, "finals, full runs": FINALS_REPLICATE}
        return {name: self.num_evaluations[replicate] / whole for name, replicate in names.items()}

    def run(self, spec: TrialSpec) -> None:
        """Race one trial to its end."""
        number = self.numbers[spec.cell_id]
        noise = child_generator(self.seed, spec.cell_id, spec.replicate, json.dumps(spec.recipe)).normal()
        curve = self.surface.curves(number, [spec.recipe])[0] + noise * self.surface.noise[number]
        trial = TuneTrial(spec)
        self.races.on_trial_add(None, trial)
        reported, status = [], "completed"
        for index, value in enumerate(curve, 1):
            reported.append((index, float(value)))
            result = {TIME: index, METRIC: float(value), "final": index == NUM_EVALUATIONS}
            if self.races.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                status = "pruned"
                break
        self.num_evaluations[spec.replicate] += len(reported)
        self.recorded.add(spec.trial_id)
        self.outcomes[spec.trial_id] = Outcome(
            spec.cell_id, status, reported[-1][1], json.dumps(spec.recipe), tuple(reported), spec.replicate
        )


class TuneTrial:
    """A trial as the scheduler sees it."""

    def __init__(self, spec: TrialSpec):
        self.trial_id = spec.trial_id
        self.config = {"specs": [spec.as_dict()], "trial_ids": [spec.trial_id]}


Propose = Callable[..., dict | None]
SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "TPE": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=1, multivariate=False),
    "TPE, multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=1, multivariate=True),
    "GP": lambda seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=1),
}


def search(surface: Surface, length: int, seed: int, propose: Propose) -> dict[str, float]:
    """Search one study with a list of candidates in common; return its regrets and its cost."""
    plan = with_seed(surface.plan, length, seed)
    made = Made(replace(surface, plan=plan), seed)
    study = StudySearch(plan, made, [], propose=propose)
    while spec := study.next():
        made.run(spec)
    tuned, common = study.chosen()
    return regrets(surface, tuned, common) | made.full_runs()


def search_each_cell_alone(surface: Surface, length: int, seed: int, propose: Propose) -> dict[str, float]:
    """Search every cell with a list of its own, without a second round: what its own search happened to draw."""
    tuned, made = {}, Made(surface, seed)
    for number, cell in enumerate(surface.plan.cells):
        plan = replace(with_seed(surface.plan, length, 1000 * number + seed), cells=(cell,))
        study = StudySearch(plan, made, [], propose=propose)
        while (spec := study.next()) and spec.replicate == 0:
            made.run(spec)
        tuned[cell.cell_id] = nominee(plan, cell, made.outcomes)
    return regrets(surface, tuned, None) | made.full_runs()


def with_seed(plan: Plan, length: int, seed: int) -> Plan:
    racing = plan.space.racing.model_copy(update={"num_samples": length})
    return replace(plan, space=plan.space.model_copy(update={"seed": seed, "racing": racing}))


def regrets(surface: Surface, tuned: dict, common: dict | None) -> dict[str, float]:
    """Return the regrets of a study's choice, in points of Hit@5."""
    best, best_common = surface.best()

    def reached(chosen: dict) -> np.ndarray:
        ids = [cell.cell_id for cell in surface.plan.cells]
        return np.array([surface.curves(number, [chosen[cell_id]])[0, -1] for number, cell_id in enumerate(ids)])

    lost = 100 * (best - reached(tuned))
    of_common = np.nan if common is None else 100 * (best_common - reached(common).mean())
    return {"common": of_common, "tuned": lost.mean(), "largest difference": np.ptp(lost)}


def shown(values: list[float]) -> str:
    """Return a mean with its 95 % interval over the seeds; a dash for what there is not."""
    if np.isnan(values).any():
        return "-"
    return f"{np.mean(values):.2f} ± {1.96 * np.std(values, ddof=1) / np.sqrt(len(values)):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.candidate_search", description=__doc__)
    parser.add_argument("--table", type=Path, default=Path("candidate_search.npz"))
    parser.add_argument("--seeds", type=int, default=24)
    options = parser.parse_args()
    if not options.table.exists():
        record_table(options.table)
    surface = Surface.of(plan_for(6, 0), options.table)
    best, best_common = surface.best()
    print(f"best Hit@5 by cell {best.round(3).tolist()}, of one configuration for all {best_common:.3f}")
    print(f"noise of one training by cell, points: {(100 * surface.noise).round(2).tolist()}")
    print(f"| list | sampler | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * len(COLUMNS)}")
    for length in LENGTHS:
        rows = {name: partial(search, surface, propose=proposing(make)) for name, make in SAMPLERS.items()}
        rows["GP, raced harder"] = partial(search, raced_harder(surface), propose=next_candidate)
        rows["each cell alone, TPE"] = partial(search_each_cell_alone, surface, propose=proposing(SAMPLERS["TPE"]))
        for name, run in rows.items():
            found = [run(length, seed) for seed in range(options.seeds)]
            columns = [shown([one[key] for one in found]) for key in COLUMNS]
            print(f"| {length} | {name} | {' | '.join(columns)} |", flush=True)


def raced_harder(surface: Surface) -> Surface:
    """Return the surface with the racing of the laptop preset: the first rung at 1 evaluation, 1 in 6 passes."""
    racing = surface.plan.space.racing.model_copy(update={"grace_period": 1, "reduction_factor": 6})
    return replace(surface, plan=replace(surface.plan, space=surface.plan.space.model_copy(update={"racing": racing})))


def proposing(make_sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Propose:
    return partial(next_candidate, make_sampler=make_sampler)


if __name__ == "__main__":
    main()
