"""Measure whether vectors carry the order of their text: a ridge predictor with the order kept, and with it lost.

Cosine cannot show it: averaged over a document, the next vector is exactly as near as the previous one. A predictor
can. All predictors are judged on the same targets against the same pool, in which the vectors beside a query's target
are no candidates: some predictors have read them.
"""

from dataclasses import dataclass

import numpy as np

from lvm_core.baselines import RIDGE_PENALTIES, fit_ridge
from lvm_core.candidates import without_neighbours
from lvm_core.dataset import Dataset
from lvm_core.evaluation import measure_predictions
from lvm_core.queries import QuerySet
from lvm_core.ranks import hit_at_k
from lvm_core.retrieval import Pool
from lvm_core.seeds import child_generator
from lvm_core.vectors import unit
from lvm_core.windows import Stream
from study.analysis import mrmc
from study.analysis.units import Units

LAGS = 4  # vectors on each side of a target
MAX_TRAIN = 4000  # windows to fit the ridge on; that many take seconds
FORWARD, SHUFFLED, REVERSED, BACKWARD = "in order", "shuffled", "reversed", "backward"


@dataclass(frozen=True)
class Finding:
    """Hit@5 of one reading order, and its difference from reading in order, with a 95 % interval."""

    name: str
    hit_at_5: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Sides:
    """Targets with enough vectors on both sides in their own document.

    before, after: [Q, LAGS, D], both with the vector nearest to the target last. pool: its first candidates are the
    targets. units: what varies independently among the targets.
    """

    before: np.ndarray
    after: np.ndarray
    pool: Pool
    units: Units

    @property
    def targets(self) -> np.ndarray:
        return self.pool.vectors[: len(self.before)]


@dataclass(frozen=True)
class Direction:
    """All findings, the number of queries (and pool size), and what the intervals resample."""

    findings: list[Finding]
    num_queries: int
    resampled: str


def measure_direction(dataset: Dataset, seed: int) -> Direction | None:
    """Return the findings, or None if a part has too few targets with both sides.

    in order: the context before the target, oldest vector first. shuffled: each context in its own random order, in
    training and in queries. reversed: the ridge of `in order`, queried with every context reversed. backward: the
    target predicted from the vectors after it.
    """
    parts = {part: _sides(dataset, part, seed) for part in ("train", "validation", "test")}
    if min(len(sides.targets) for sides in parts.values()) < 2:
        return None
    rng = child_generator(seed, "direction")
    forward = {part: sides.before for part, sides in parts.items()}
    ways = {
        FORWARD: forward,
        SHUFFLED: {part: _shuffled(contexts, rng) for part, contexts in forward.items()},
        REVERSED: forward | {"test": forward["test"][:, ::-1]},
        BACKWARD: {part: sides.after for part, sides in parts.items()},
    }
    hits = {name: _ridge_hits(contexts, parts) for name, contexts in ways.items()}
    units = parts["test"].units
    return Direction(_compare(hits, units), len(parts["test"].targets), units.label)


def _shuffled(contexts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the vectors of each context independently. [Q, LAGS, D]."""
    order = rng.permuted(np.tile(np.arange(LAGS), (len(contexts), 1)), axis=1)
    return np.take_along_axis(contexts, order[:, :, None], axis=1)


def _compare(hits: dict[str, np.ndarray], units: Units) -> list[Finding]:
    findings = [Finding(FORWARD, float(hits[FORWARD].mean()))]
    for name in (SHUFFLED, REVERSED, BACKWARD):
        change = mrmc.difference(hits[name][None], hits[FORWARD][None], units)
        findings.append(Finding(name, float(hits[name].mean()), change.value, change.low, change.high))
    return findings


def _ridge_hits(contexts: dict[str, np.ndarray], parts: dict[str, Sides]) -> np.ndarray:
    """Fit on train, choose the penalty on validation, return test Hit@5 per query. [Q].

    The ridge predicts the difference from the context's mean, which ignores order, so that a heavy penalty shrinks
    towards the mean and not towards zero.
    """
    means = {part: values.mean(axis=1) for part, values in contexts.items()}
    features = {part: values.reshape(len(values), -1) for part, values in contexts.items()}
    weights = list(fit_ridge(features["train"], parts["train"].targets - means["train"], RIDGE_PENALTIES).values())
    chosen = max(
        weights,
        key=lambda w: _hits(means["validation"] + features["validation"] @ w, parts["validation"]).mean(),
    )
    return _hits(means["test"] + features["test"] @ chosen, parts["test"])


def _hits(predictions: np.ndarray, sides: Sides) -> np.ndarray:
    measured = measure_predictions(unit(predictions), sides.targets, sides.pool)
    return hit_at_k(measured.rank, measured.num_ties, 5)


def _sides(dataset: Dataset, part: str, seed: int) -> Sides:
    stream = dataset.train if part == "train" else dataset.queries[part].stream
    positions = dataset.train_positions if part == "train" else dataset.queries[part].positions
    positions = positions[positions + LAGS < len(stream.rows)]
    same = stream.chain_ids[positions - LAGS] == stream.chain_ids[positions + LAGS]
    positions = child_generator(seed, "sides", part).permutation(positions[same])[:MAX_TRAIN]
    vectors = dataset.corpus.vectors
    return Sides(
        before=np.take(vectors, _rows(stream, positions, np.arange(-LAGS, 0)), axis=0),
        after=np.take(vectors, _rows(stream, positions, np.arange(LAGS, 0, -1)), axis=0),
        pool=_pool(stream, positions, vectors, child_generator(seed, "reserve", part)),
        units=Units.of(stream.chain_ids[positions], positions),
    )


def _pool(stream: Stream, positions: np.ndarray, vectors: np.ndarray, rng: np.random.Generator) -> Pool:
    """Return the targets as one pool, in which each is ranked without the vectors on its own two sides."""
    beside, length = np.concatenate([np.arange(-LAGS, 0), np.arange(1, LAGS + 1)]), len(stream.rows)
    reserve = rng.permutation(np.setdiff1d(np.arange(length), positions))[: len(beside)]
    candidates = without_neighbours(positions, reserve, positions, beside, length)
    return QuerySet(stream, positions, candidates, LAGS).pool(vectors)


def _rows(stream: Stream, positions: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return stream.rows[positions[:, None] + offsets]
