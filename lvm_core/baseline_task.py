"""What every baseline of one context length is measured on, and the averages and targets that baselines share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lvm_core.dataset import Dataset
from lvm_core.evaluation import Measurement, measure_predictions
from lvm_core.queries import QuerySet
from lvm_core.vectors import unit
from lvm_core.windows import Stream

BLOCK = 1024  # windows gathered at a time

Predict = Callable[[QuerySet, dict], np.ndarray]  # queries and a setting -> predictions [Q, D], of any length


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """A baseline's measurements, and the setting that validation chose for it."""

    setting: dict
    validation: Measurement
    test: Measurement


class BaselineTask:
    """The queries, pools and training windows of one context length."""

    def __init__(self, dataset: Dataset, context_length: int):
        self.dataset, self.context_length = dataset, context_length
        self.pools = {part: queries.pool(dataset.corpus.vectors) for part, queries in dataset.queries.items()}

    def choose(self, settings: list[dict], predict: Predict) -> BaselineResult:
        """Measure every setting on validation, and the best of them, the first of equals, on test."""
        measured = [self.measure("validation", predict, setting) for setting in settings]
        best = int(np.argmax([measurement.hit_at(5) for measurement in measured]))
        return BaselineResult(settings[best], measured[best], self.measure("test", predict, settings[best]))

    def choose_decay(self, decays: tuple[float, ...]) -> BaselineResult:
        """Predict the exponential average of the context, with the decay that validation chooses."""
        settings = [{"decay": decay} for decay in decays]
        return self.choose(settings, lambda q, setting: self.average(q.stream, q.positions, setting["decay"]))

    def measure(self, part: str, predict: Predict, setting: dict) -> Measurement:
        """Measure one setting on the queries of a part."""
        pool = self.pools[part]
        prediction = unit(predict(self.dataset.queries[part], setting))
        return measure_predictions(prediction, pool.vectors[: len(prediction)], pool)

    def average(self, stream: Stream, positions: np.ndarray, decay: float) -> np.ndarray:
        """Return unit exponential averages of contexts, with the weights decay ** age. [Q, D] float32."""
        weight = (decay ** np.arange(self.context_length - 1, -1, -1.0)).astype(np.float32)
        blocks = self.contexts(stream, positions)
        return unit(np.concatenate([np.einsum("c,bcd->bd", weight, block) for block in blocks]))

    def contexts(self, stream: Stream, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Yield contexts, a block of windows at a time. [block, C, D] float32."""
        size = max(1, BLOCK // self.context_length)
        for start in range(0, len(positions), size):
            rows = stream.context_rows(positions[start : start + size], self.context_length)
            yield np.take(self.dataset.corpus.vectors, rows, axis=0)

    def last(self, stream: Stream, positions: np.ndarray, lags: int) -> np.ndarray:
        """Return the last `lags` vectors side by side. [Q, lags * D] float32."""
        rows = stream.context_rows(positions, lags)
        return np.take(self.dataset.corpus.vectors, rows, axis=0).reshape(len(positions), -1)

    def targets(self, positions: np.ndarray) -> np.ndarray:
        """Return the targets of training windows. [N, D] float32."""
        return np.take(self.dataset.corpus.vectors, self.dataset.train.rows[positions], axis=0)
