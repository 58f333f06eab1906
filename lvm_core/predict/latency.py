"""Time the prediction of one context at several lengths."""

import time
from dataclasses import dataclass

import numpy as np

from lvm_core.predict.predictor import Predictor
from lvm_core.seeds import child_generator

CALLS, WARM_UP = 50, 5


@dataclass(frozen=True)
class Latency:
    """Median and 95th percentile of the time of one prediction, from an array in memory to an array in memory."""

    context_length: int
    p50_ms: float
    p95_ms: float


def measure_latency(predictor: Predictor, context_lengths: list[int]) -> list[Latency]:
    """Time predictions of random contexts, one at a time, on the predictor's device and torch's current threads."""
    rng = child_generator(0, "latency")
    return [_measure(predictor, rng.standard_normal((length, predictor.dim))) for length in context_lengths]


def _measure(predictor: Predictor, context: np.ndarray) -> Latency:
    times = []
    for _ in range(WARM_UP + CALLS):
        started = time.perf_counter()
        predictor.predict(context)
        times.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.percentile(times[WARM_UP:], [50, 95])
    return Latency(len(context), float(p50), float(p95))
