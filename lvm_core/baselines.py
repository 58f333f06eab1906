"""Predict without a trained network: the answers that a model must beat on the same queries."""

from dataclasses import dataclass

import faiss
import numpy as np
from scipy.linalg import solve

from lvm_core.dataset import Dataset, QuerySet
from lvm_core.evaluation import Measurement, measure_predictions
from lvm_core.retrieval import Pool
from lvm_core.windows import Stream, nested_subset

TRAINING_FREE = ("last_vector", "context_mean", "context_ema")
TRAINED = ("ridge", "nearest_window")
ORACLE = "oracle"
EMA_DECAYS = (0.5, 0.7, 0.8, 0.9, 0.95)
RIDGE_LAGS = (1, 2, 4, 8)
RIDGE_PENALTIES = (0.3, 3.0, 30.0, 300.0)  # each as heavy as that many training windows
BLOCK = 1024  # windows gathered at a time


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """A baseline's measurements, and the setting that validation chose for it."""

    setting: dict
    validation: Measurement
    test: Measurement


class Baselines:
    """All baselines of one context length; a setting (decay, lags, penalty) is chosen on validation alone."""

    def __init__(self, dataset: Dataset, context_length: int):
        self.dataset, self.context_length = dataset, context_length
        vectors = dataset.corpus.vectors
        self.pools = {part: Pool(np.take(vectors, q.pool_rows, axis=0)) for part, q in dataset.queries.items()}

    def training_free(self, name: str) -> BaselineResult:
        """Measure the last vector, the mean, or the exponential average of the context."""
        decays = {"last_vector": (0.0,), "context_mean": (1.0,), "context_ema": EMA_DECAYS}[name]
        settings = [{"decay": decay} for decay in decays]
        return self._choose(settings, lambda q, setting: self._average(q.stream, q.positions, setting["decay"]))

    def oracle(self) -> BaselineResult:
        """Measure the best possible prediction, where the process behind the corpus is known."""
        model = self.dataset.oracle
        assert model is not None, "only a corpus with a known process has an oracle"

        def predict(queries: QuerySet, _: dict) -> np.ndarray:
            return np.concatenate([model.predict(block) for block in self._contexts(queries.stream, queries.positions)])

        return self._choose([{}], predict)

    def ridge(self, num_sequences: int, seed: int) -> BaselineResult:
        """Fit ridge regressions on the last vectors of the N training windows.

        They predict the target itself, or its difference to the exponential average of the context, towards which a
        small training set then shrinks.
        """
        positions = nested_subset(self.dataset.train_positions, num_sequences, seed)
        decay = self.training_free("context_ema").setting["decay"]
        targets = self._targets(positions)
        average = self._average(self.dataset.train, positions, decay)
        both = np.concatenate([targets, targets - average], axis=1)  # two problems, one factorisation
        lags = [lag for lag in RIDGE_LAGS if lag <= self.context_length]
        weights = {}
        for lag in lags:
            fitted = fit_ridge(self._last(self.dataset.train, positions, lag), both, RIDGE_PENALTIES)
            for penalty, weight in fitted.items():
                direct, change = np.split(weight, 2, axis=1)
                weights[lag, penalty, None], weights[lag, penalty, decay] = direct, change

        def predict(queries: QuerySet, setting: dict) -> np.ndarray:
            features = self._last(queries.stream, queries.positions, setting["lags"])
            change = features @ weights[setting["lags"], setting["penalty"], setting["anchor_decay"]]
            if setting["anchor_decay"] is None:
                return change
            return self._average(queries.stream, queries.positions, decay) + change

        settings = [{"lags": lag, "penalty": penalty, "anchor_decay": anchor} for lag, penalty, anchor in weights]
        return self._choose(settings, predict)

    def nearest_window(self, num_sequences: int, seed: int) -> BaselineResult:
        """Answer with the target of the training window whose context is nearest, by its exponential average."""
        positions = nested_subset(self.dataset.train_positions, num_sequences, seed)
        targets = self._targets(positions)

        def predict(queries: QuerySet, setting: dict) -> np.ndarray:
            index = faiss.IndexFlatIP(self.dataset.corpus.dim)
            index.add(self._average(self.dataset.train, positions, setting["decay"]))
            return targets[index.search(self._average(queries.stream, queries.positions, setting["decay"]), 1)[1][:, 0]]

        return self._choose([{"decay": decay} for decay in EMA_DECAYS], predict)

    def _choose(self, settings: list[dict], predict) -> BaselineResult:
        """Measure each setting on validation and the best of them, the first of equals, on test."""
        measured = [self._measure("validation", predict, setting) for setting in settings]
        best = int(np.argmax([measurement.hit_at(5) for measurement in measured]))
        return BaselineResult(settings[best], measured[best], self._measure("test", predict, settings[best]))

    def _measure(self, part: str, predict, setting: dict) -> Measurement:
        pool = self.pools[part]
        prediction = unit(predict(self.dataset.queries[part], setting))
        return measure_predictions(prediction, pool.vectors[: len(prediction)], pool)

    def _average(self, stream: Stream, positions: np.ndarray, decay: float) -> np.ndarray:
        """Return unit exponential averages of contexts: weight decay ** age. [Q, D] float32."""
        weight = (decay ** np.arange(self.context_length - 1, -1, -1.0)).astype(np.float32)
        blocks = self._contexts(stream, positions)
        return unit(np.concatenate([np.einsum("c,bcd->bd", weight, block) for block in blocks]))

    def _contexts(self, stream: Stream, positions: np.ndarray):
        """Yield contexts, a block of windows at a time. [block, C, D] float32."""
        size = max(1, BLOCK // self.context_length)
        for start in range(0, len(positions), size):
            rows = stream.context_rows(positions[start : start + size], self.context_length)
            yield np.take(self.dataset.corpus.vectors, rows, axis=0)

    def _last(self, stream: Stream, positions: np.ndarray, lags: int) -> np.ndarray:
        """Return the last `lags` vectors side by side. [N, lags * D] float32."""
        return np.take(self.dataset.corpus.vectors, stream.context_rows(positions, lags), axis=0).reshape(
            len(positions), -1
        )

    def _targets(self, positions: np.ndarray) -> np.ndarray:
        return np.take(self.dataset.corpus.vectors, self.dataset.train.rows[positions], axis=0)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, float32; a zero vector stays zero (and ties with every candidate)."""
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(norm == 0, 1.0, norm)).astype(np.float32)


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
