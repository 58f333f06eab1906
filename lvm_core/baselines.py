"""Predict without a trained network: the answers that a model must beat on the same queries.

A function with `@register` above it is a baseline: it is planned, run, reported and listed in model cards.
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
from scipy.linalg import solve

from lvm_core.baseline_task import BaselineResult, BaselineTask
from lvm_core.queries import QuerySet
from lvm_core.windows import nested_subset

ORACLE = "oracle"  # not registered: only a corpus whose process is known has one
EMA_DECAYS = (0.5, 0.7, 0.8, 0.9, 0.95)
RIDGE_LAGS = (1, 2, 4, 8)
RIDGE_PENALTIES = (0.3, 3.0, 30.0, 300.0)  # each as heavy as that many training windows


@dataclass(frozen=True)
class Baseline:
    """How a baseline is measured. One that trains on the N windows also gets `num_sequences` and `seed`."""

    run: Callable[..., BaselineResult]
    trains: bool


BASELINES: dict[str, Baseline] = {}


def register(name: str, *, trains: bool = False) -> Callable[[Callable], Callable]:
    """Register a baseline under a name, which its records have as their `model`."""

    def add(run: Callable[..., BaselineResult]) -> Callable[..., BaselineResult]:
        assert name not in BASELINES, f"two baselines are named {name}"
        BASELINES[name] = Baseline(run, trains)
        return run

    return add


def baseline_names(*, trains: bool) -> list[str]:
    """Return the baselines that train on the N windows, or those that train on nothing."""
    return [name for name, baseline in BASELINES.items() if baseline.trains == trains]


def measure_baseline(
    name: str, task: BaselineTask, num_sequences: int | None = None, seed: int | None = None
) -> BaselineResult:
    """Measure a registered baseline. `num_sequences` and `seed` choose the windows of one that trains."""
    baseline = BASELINES[name]
    return baseline.run(task, num_sequences, seed) if baseline.trains else baseline.run(task)


@register("last_vector")
def last_vector(task: BaselineTask) -> BaselineResult:
    """Repeat the last vector of the context."""
    return task.choose_decay((0.0,))


@register("context_mean")
def context_mean(task: BaselineTask) -> BaselineResult:
    """Predict the mean of the context."""
    return task.choose_decay((1.0,))


@register("context_ema")
def context_ema(task: BaselineTask) -> BaselineResult:
    """Predict the exponential average of the context."""
    return task.choose_decay(EMA_DECAYS)


@register("ridge", trains=True)
def ridge(task: BaselineTask, num_sequences: int, seed: int) -> BaselineResult:
    """Fit ridge regressions on the last vectors of the N training windows.

    They predict the target itself, or its difference from the exponential average of the context, towards which a
    small training set then shrinks.
    """
    train = task.dataset.train
    positions = nested_subset(task.dataset.train_positions, num_sequences, seed)
    decay = context_ema(task).setting["decay"]
    targets = task.targets(positions)
    average = task.average(train, positions, decay)
    both = np.concatenate([targets, targets - average], axis=1)  # two problems, one factorisation
    weights = {}
    for lag in [lag for lag in RIDGE_LAGS if lag <= task.context_length]:
        for penalty, weight in fit_ridge(task.last(train, positions, lag), both, RIDGE_PENALTIES).items():
            direct, change = np.split(weight, 2, axis=1)
            weights[lag, penalty, None], weights[lag, penalty, decay] = direct, change

    def predict(queries: QuerySet, setting: dict) -> np.ndarray:
        features = task.last(queries.stream, queries.positions, setting["lags"])
        change = features @ weights[setting["lags"], setting["penalty"], setting["anchor_decay"]]
        if setting["anchor_decay"] is None:
            return change
        return task.average(queries.stream, queries.positions, decay) + change

    settings = [{"lags": lag, "penalty": penalty, "anchor_decay": anchor} for lag, penalty, anchor in weights]
    return task.choose(settings, predict)


@register("nearest_window", trains=True)
def nearest_window(task: BaselineTask, num_sequences: int, seed: int) -> BaselineResult:
    """Predict the target of the training window whose context is nearest, by exponential averages of contexts."""
    train = task.dataset.train
    positions = nested_subset(task.dataset.train_positions, num_sequences, seed)
    targets = task.targets(positions)

    def predict(queries: QuerySet, setting: dict) -> np.ndarray:
        index = faiss.IndexFlatIP(task.dataset.corpus.dim)
        index.add(task.average(train, positions, setting["decay"]))
        return targets[index.search(task.average(queries.stream, queries.positions, setting["decay"]), 1)[1][:, 0]]

    return task.choose([{"decay": decay} for decay in EMA_DECAYS], predict)


def oracle(task: BaselineTask) -> BaselineResult:
    """Measure the Kalman filter's prediction, where the process behind the corpus is known.

    No vector is known that does better under cosine; a reader that ranks candidates by their density does.
    """
    model = task.dataset.oracle
    assert model is not None, "only a corpus with a known process has an oracle"

    def predict(queries: QuerySet, _: dict) -> np.ndarray:
        return np.concatenate([model.predict(block) for block in task.contexts(queries.stream, queries.positions)])

    return task.choose([{}], predict)


def fit_ridge(features: np.ndarray, targets: np.ndarray, penalties: tuple[float, ...]) -> dict[float, np.ndarray]:
    """Return ridge weights [F, D] for each penalty, solved in the smaller of the primal and the dual form.

    features: [N, F], targets: [N, D]. Minimises |X W - Y|^2 + penalty |W|^2 (Hoerl and Kennard, 1970).
    """
    features, targets = features.astype(np.float64), targets.astype(np.float64)
    dual = len(features) < features.shape[1]
    gram = features @ features.T if dual else features.T @ features
    right = targets if dual else features.T @ targets
    identity = np.eye(len(gram))
    solved = {penalty: solve(gram + penalty * identity, right, assume_a="pos") for penalty in penalties}
    return {penalty: (features.T @ w if dual else w).astype(np.float32) for penalty, w in solved.items()}
