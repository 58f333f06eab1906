"""Made studies whose truth is known: ranks drawn about a planted Hit@5(C, N), correlated as in real studies.

A rank is a function of one standard normal score, the sum of effects of the query's document, of the query, of both in
the cell, of the replicate, of the replicate in the cell, and of the query in the run. The score's share below the
planted Hit@5 is a hit, so that Hit@5 is exactly the planted one on average, whatever the effects. With these effects,
the hits of two replicates of a cell correlate 0.75 at a Hit@5 of one half, and those of two cells 0.69; recorded
studies have 0.70 and 0.72, and 0.62 and 0.71 (`scaling --preset quick` on the embedded corpus and on 80 articles).
"""

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from study.analysis.hit_map import HitMap
from study.analysis.law_forms import MAX_EXPONENT, Axes, Form, unsqueeze
from study.analysis.load import StudyRecords
from study.analysis.units import Units
from study.records.columns import TABLES
from tests.manifests import manifest

CONTEXTS, SIZES = (1, 4, 16, 64), (125, 250, 500, 1000, 2000, 4000, 8000)
POOL = 2000
CONFIG = {"alpha": 0.03, "learning_rate": 0.001, "weight_decay": 0.0001}
COMMON = {"alpha": 0.03, "learning_rate": 0.002, "weight_decay": 0.0001}
EFFECTS = {
    "chain": 0.24, "query": 0.64, "chain_in_cell": 0.01, "query_in_cell": 0.03, "replicate": 0.0002,
    "replicate_in_cell": 0.0006,
}  # fmt: skip
COLLAPSED_TO = 0.25  # share of its Hit@5 that a collapsed replicate keeps


@dataclass(frozen=True)
class Planted:
    """A law with its parameters in a reader's terms. `middle` is m: the score in the middle of the map."""

    form: Form
    middle: float
    a: float
    b: float | None = None
    ceiling: float | None = None
    sizes: tuple[float, float] = (0.8, 0.5)  # A and B of the `sum` law

    @property
    def axes(self) -> Axes:
        context, size = np.array(cells()).T
        return Axes.of(context, size, 5 / POOL)

    @property
    def theta(self) -> np.ndarray:
        """The law's parameters in the order and scale of the form. [p]."""
        exponent = (lambda value: unsqueeze(value, 0, MAX_EXPONENT)) if self.form.kind == "sum" else float
        ceiling = None if self.ceiling is None else (self.ceiling - self.axes.floor) / (1 - self.axes.floor)
        values = {"m": self.middle, "a": exponent(self.a), "A": self.sizes[0], "B": self.sizes[1]}
        if self.form.context:
            values["b"] = exponent(self.b)
        if self.form.free_ceiling:
            values["ceiling"] = unsqueeze(ceiling, 0, 1)
        return np.array([values[name] for name in self.form.names])

    @property
    def hit_at_5(self) -> np.ndarray:
        return self.form.predict(self.theta, self.axes)


LAWS = {
    "odds": Planted(Form("odds"), 0.2, 0.35, 0.25),
    "odds, free ceiling": Planted(Form("odds", free_ceiling=True), 0.6, 0.6, 0.5, ceiling=0.75),
    "log": Planted(Form("log"), 0.4, 0.25, 0.2),
    "sum": Planted(Form("sum"), 1.2, 0.5, 0.8),
    "odds, constant in C": Planted(Form("odds", context=False), 0.0, 0.3),
}


def cells() -> list[tuple[int, int]]:
    return [(context, size) for context in CONTEXTS for size in SIZES]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a made study is measured.

    noisy: by N, what its replicates' standard deviation is multiplied with. search_noise: standard deviation, in Hit@5,
    of what the search does to each cell of the tuned map. collapse: the probability that a replicate collapses.
    """

    replicates: int = 3
    chains: int = 64
    queries: int = 31
    grid: tuple[tuple[int, ...], tuple[int, ...]] = (CONTEXTS, SIZES)
    search_noise: float = 0.0
    collapse: float = 0.0
    noisy: dict[int, float] | None = None

    @property
    def cells(self) -> list[tuple[int, int]]:
        return [(context, size) for context in self.grid[0] for size in self.grid[1]]

    @property
    def chain_ids(self) -> np.ndarray:
        return np.repeat(np.arange(self.chains), self.queries)

    @property
    def units(self) -> Units:
        return Units.of(self.chain_ids, np.arange(len(self.chain_ids)))


def planted_scores(num_cells: int, rng: np.random.Generator, shape: Shape, spread: np.ndarray | float = 1.0):
    """Draw the standard normal scores of every cell, replicate and query. [K, R, Q]. spread: [K] of the replicates."""
    chain_ids, replicates = shape.chain_ids, shape.replicates
    num_queries = len(chain_ids)
    spread = np.broadcast_to(spread, num_cells)[:, None, None]
    shapes = {
        "chain": rng.normal(size=shape.chains)[chain_ids],
        "query": rng.normal(size=num_queries),
        "chain_in_cell": rng.normal(size=(num_cells, 1, shape.chains))[:, :, chain_ids],
        "query_in_cell": rng.normal(size=(num_cells, 1, num_queries)),
        "replicate": rng.normal(size=(1, replicates, 1)) * spread,
        "replicate_in_cell": rng.normal(size=(num_cells, replicates, 1)) * spread,
    }
    score = sum(np.sqrt(share) * shapes[name] for name, share in EFFECTS.items())
    return score + np.sqrt(1 - sum(EFFECTS.values())) * rng.normal(size=(num_cells, replicates, num_queries))


def planted_ranks(hit_at_5: np.ndarray, rng: np.random.Generator, shape: Shape, spread: np.ndarray | float = 1.0):
    """Draw ranks of every cell and replicate on the same queries. hit_at_5: [K] or [K, R]. Returns [K, R, Q] int64."""
    hit_at_5 = np.asarray(hit_at_5, float).reshape(len(hit_at_5), -1, 1)
    share = norm.cdf(planted_scores(len(hit_at_5), rng, shape, spread))
    # rank <= k has chance 1 - (1 - Hit@5)^(ln(1 + k) / ln 6): Hit@5 at k = 5, and a long tail
    exponent = np.log1p(-share) / np.log1p(-np.clip(hit_at_5, 1e-6, 1 - 1e-6))
    rank = np.ceil(6.0 ** np.minimum(exponent, 20) - 1).astype(np.int64)
    return np.clip(rank, 1, POOL)


def tuned_and_common(hit_at_5: np.ndarray, rng: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Draw the ranks of both maps of one truth, on the same queries. [K] -> [K, R, Q] each. Only the tuned map has the
    noise of the search; a replicate collapses in both alike.
    """
    size = np.array(shape.cells)[:, 1]
    spread = np.array([(shape.noisy or {}).get(int(n), 1.0) for n in size])
    tuned = hit_at_5 + shape.search_noise * rng.normal(size=len(hit_at_5))
    rates = np.repeat(np.r_[tuned, hit_at_5][:, None], shape.replicates, axis=1)
    lost = rng.random((len(hit_at_5), shape.replicates)) < shape.collapse
    rates = np.where(np.r_[lost, lost], rates * COLLAPSED_TO, rates)
    ranks = planted_ranks(rates, rng, shape, np.r_[spread, spread])
    return ranks[: len(hit_at_5)], ranks[len(hit_at_5) :]


def planted_study(
    truth: Planted | np.ndarray,
    seed: int,
    num_search: int = 6,
    baseline: float = 0.3,
    common: bool = False,
    shape: Shape | None = None,
    **changes,
) -> StudyRecords:
    """Draw a study of a planted law, or of a planted map [K], as records: confirm trials, search trials, one baseline,
    curves and ranks.

    The baseline has one Hit@5 at every C. Search trials reach more the nearer their learning rate is to 1e-3; the lower
    half of each cell is pruned after two of five evaluations. common: with the map at one configuration beside the
    tuned one. changes: of the shape.
    """
    rng, shape = np.random.default_rng(seed), replace(shape or Shape(), **changes)
    hit_at_5 = truth.hit_at_5 if isinstance(truth, Planted) else np.asarray(truth, float)
    tuned, at_common = tuned_and_common(hit_at_5, rng, shape)
    made = _Records(shape)
    for cell, (context, size) in enumerate(shape.cells):
        for replicate in range(shape.replicates):
            rank = tuned[cell, replicate]
            made.trial("confirm", context, size, replicate + 1, rank, [0.5, 0.8, 1.0, 0.9])
            if common:
                rank = at_common[cell, replicate]
                made.trial("confirm", context, size, replicate + 1, rank, [0.5, 0.8, 1.0, 0.9], COMMON)
        rates = 10 ** rng.uniform(-4, -2, num_search)
        reached = 0.5 - 0.1 * np.log10(rates / 1e-3) ** 2 + rng.normal(0, 0.005, num_search)
        for rate, hit in zip(rates, reached, strict=True):
            raced = hit < np.median(reached)
            made.search(context, size, hit * np.array([0.5, 0.8, 0.9, 0.95, 1.0])[: 2 if raced else 5], rate, raced)
    of_baseline = planted_ranks(np.array([baseline]), rng, replace(shape, replicates=1))[0, 0]
    for context in shape.grid[0]:
        made.trial("baseline", context, None, None, of_baseline, [])
    return made.study(num_search, common)


class _Records:
    """Collects the rows of a made study."""

    def __init__(self, shape: Shape):
        self.shape, self.chain_ids, self.trials, self.curves, self.ranks = shape, shape.chain_ids, [], [], []

    def trial(
        self, stage: str, context: int, size: int | None, replicate: int | None, rank: np.ndarray, curve: list,
        config: dict = CONFIG,
    ):  # fmt: skip
        hit = float((rank <= 5).mean())
        row = self._row(stage, context, size, curve) | {"replicate": replicate, "val_hit_at_5": hit}
        row["config"] = json.dumps(config)
        self.trials.append(row | {"model": "gru" if size else "last_vector", "test_hit_at_5": hit})
        self.ranks.append((row["trial_id"], rank))

    def search(self, context: int, size: int, hits: np.ndarray, learning_rate: float, raced: bool):
        config = json.dumps({"learning_rate": learning_rate, "alpha": 0.01 + (learning_rate * 1e7 % 97) / 100})
        row = self._row("search", context, size, hits) | {"replicate": 0, "config": config}
        self.trials.append(row | {"status": "pruned" if raced else "completed"})

    def _row(self, stage: str, context: int, size: int | None, curve) -> dict:
        trial_id = f"t{len(self.trials)}"
        self.curves += [
            {"trial_id": trial_id, "eval_index": i, "step": 50 * i, "val_hit_at_5": value}
            for i, value in enumerate(curve, 1)
        ]
        return {
            "trial_id": trial_id, "stage": stage, "status": "completed", "pool_size": POOL, "chance_hit_at_5": 5 / POOL,
            "cell_id": f"C{context}_N{size}" if size else f"C{context}",
            "context_length": context, "num_sequences": size, "num_queries": len(self.chain_ids),
        }  # fmt: skip

    def study(self, num_search: int, common: bool) -> StudyRecords:
        queries = np.arange(len(self.chain_ids))
        ranks = pd.DataFrame(
            {
                "trial_id": np.repeat([trial_id for trial_id, _ in self.ranks], len(queries)),
                "split": "test",
                "query_id": np.tile(queries, len(self.ranks)),
                "chain_id": np.tile(self.chain_ids, len(self.ranks)),
                "rank": np.concatenate([rank for _, rank in self.ranks]),
                "num_ties": 0,
            }
        )
        space = {
            "cells": {"context_length": list(self.shape.grid[0]), "num_sequences": list(self.shape.grid[1])},
            "replicates": self.shape.replicates, "patience": {"replay": [1, 3]}, "racing": {"num_samples": num_search},
            "search": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "alpha": {"low": 0.01, "high": 1.0}},
        }  # fmt: skip
        cells = [f"C{c}_N{n}" for c, n in self.shape.cells]
        rates = {"tuned": CONFIG["learning_rate"], "common": COMMON["learning_rate"]}
        chosen = {name: {cell: {"learning_rate": rate} for cell in cells} for name, rate in rates.items()}
        made = manifest(
            study="planted", space=space, cells=cells, split={"audit": {"num_train_vectors": 100_000}},
            chosen=chosen if common else None,
        )  # fmt: skip
        trials = pd.DataFrame(self.trials).reindex(columns=TABLES["trials"].names)
        curves = pd.DataFrame(self.curves).reindex(columns=TABLES["curves"].names)
        return StudyRecords("planted", made, trials, curves, ranks)


def planted_map(truth: Planted | np.ndarray, seed: int, shape: Shape | None = None, **changes) -> HitMap:
    """Draw a study of a planted law, or of a planted map [K], and return its tuned map, without search noise known."""
    shape = replace(shape or Shape(), **changes)
    hit_at_5 = truth.hit_at_5 if isinstance(truth, Planted) else np.asarray(truth, float)
    tuned, _ = tuned_and_common(hit_at_5, np.random.default_rng(seed), shape)
    return HitMap.of_hits(shape.cells, list(tuned <= 5), shape.units, 5 / POOL, seed)
