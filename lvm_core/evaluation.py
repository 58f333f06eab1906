"""Measure a predictor on the queries of one part of the split: losses, ranks, and figures that follow from ranks."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from lvm_core.dataset import Dataset
from lvm_core.devices import VectorSource
from lvm_core.errors import DivergedError
from lvm_core.loss_terms import LOSS_TERMS, validation_terms
from lvm_core.losses import losses
from lvm_core.queries import QuerySet
from lvm_core.ranks import hit_at_k, reciprocal_rank
from lvm_core.retrieval import Pool
from lvm_core.seeds import child_generator
from lvm_core.train_config import TrainConfig

EVAL_BLOCK = 256  # queries predicted at a time, fixed: another block size may round differently
EVAL_BYTES = {"cpu": 16 << 20, "cuda": 1 << 30, "mps": 256 << 20}  # largest gathered block of contexts


@dataclass(frozen=True, eq=False)
class Measurement:
    """Ranks of all queries of a part, and mean losses where a predictor has any.

    rank, num_ties: [Q] int32. cosine: mean cosine of prediction and target. loss_terms: the terms of the loss that are
    recorded on validation, by name. shared_hit_at_5: Hit@5 among the candidates that all queries share, where a
    query's own context is left out of `rank`; None where it is not, or where the target is not among them.
    """

    rank: np.ndarray
    num_ties: np.ndarray
    cosine: float
    loss: float | None = None
    loss_terms: dict[str, float] = field(default_factory=dict)
    shared_hit_at_5: float | None = None

    def hit_at(self, k: int) -> float:
        """Return Hit@k over the queries."""
        return float(hit_at_k(self.rank, self.num_ties, k).mean())

    @cached_property
    def mrr(self) -> float:
        """Mean reciprocal rank."""
        return float(reciprocal_rank(self.rank, self.num_ties).mean())


@dataclass(kw_only=True)
class Evaluation:
    """One evaluation of a run. The last one has a `stop_reason`. `elapsed_s` counts training and evaluation."""

    eval_index: int
    step: int
    sequences_seen: int
    learning_rate: float
    train: dict[str, float]
    validation: Measurement
    stop_reason: str | None = None
    elapsed_s: float = field(default=0.0)


def mean_losses(terms: list[np.ndarray]) -> dict[str, float]:
    """Return the mean training losses since the evaluation before, by column. terms: [1 + terms] of each step."""
    names = ("train_loss", *(term.column for term in LOSS_TERMS.values()))
    return dict(zip(names, map(float, np.mean(terms, axis=0)), strict=True))


def measure_predictions(predictions: np.ndarray, targets: np.ndarray, pool: Pool) -> Measurement:
    """Rank predictions whose targets are the pool's first candidates. [Q, D], [Q, D] unit vectors."""
    own, shared = pool.rank_both(predictions, np.arange(len(predictions)))
    cosine = float((predictions * targets).sum(-1).mean())
    is_recorded = pool.swaps is not None and pool.shared.start == 0
    return Measurement(*own, cosine, shared_hit_at_5=float(hit_at_k(*shared, 5).mean()) if is_recorded else None)


class Evaluator:
    """Measures models on the queries and pools of a dataset."""

    def __init__(self, dataset: Dataset, source: VectorSource, config: TrainConfig):
        self.queries, self.source, self.config = dataset.queries, source, config
        self.vectors = dataset.corpus.vectors
        self._pools: dict[str, Pool] = {}

    def pool(self, part: str) -> Pool:
        """Return the pool of a part, which is read once."""
        if part not in self._pools:
            self._pools[part] = self.queries[part].pool(self.vectors)
        return self._pools[part]

    @torch.no_grad()
    def measure(self, model: torch.nn.Module, part: str) -> Measurement:
        """Measure a model in evaluation mode. Its losses use as many negatives as training.

        Raises: DivergedError for a prediction that is not finite.
        """
        prediction = self.predict(model, part)
        ranked = self.rank(prediction, part)
        loss, terms = self._mean_losses(prediction, self.queries[part])
        return replace(ranked, loss=loss, loss_terms=terms)

    @torch.no_grad()
    def predict(self, model: torch.nn.Module, part: str, oldest: np.ndarray | None = None) -> torch.Tensor:
        """Return a model's predictions in evaluation mode. [Q, D] float32.

        oldest: [Q, R] corpus rows that stand in the place of the oldest R vectors of each context.
        Raises: DivergedError for a prediction that is not finite.
        """
        model.eval()
        prediction = torch.cat(list(self._predict(model, part, oldest))).float()
        if not torch.isfinite(prediction).all():
            raise DivergedError(f"a prediction on {part} is not finite: the weights have diverged")
        return prediction

    def rank(self, prediction: torch.Tensor, part: str) -> Measurement:
        """Rank the predictions of a part's queries."""
        pool = self.pool(part)
        return measure_predictions(prediction.cpu().numpy(), pool.vectors[: len(prediction)], pool)

    def _mean_losses(self, prediction: torch.Tensor, queries: QuerySet) -> tuple[float, dict[str, float]]:
        """Return the mean loss and its recorded terms over all queries, a block of rows at a time to stay small.

        Queries are shuffled, always in the same order: in reading order, a row's negatives would be its own document.
        """
        config, count = self.config, len(prediction)
        order = child_generator(count, "loss order").permutation(count)
        rows_of = queries.target_rows[order]
        prediction, targets = prediction[torch.from_numpy(order).to(prediction.device)], self.source.gather(rows_of)
        ids = torch.from_numpy(rows_of).to(self.source.device)
        total, means = 0.0, {term.name: 0.0 for term in validation_terms()}
        for start in range(0, count, EVAL_BLOCK):
            rows = slice(start, min(start + EVAL_BLOCK, count))
            found = losses(
                prediction[rows],
                targets,
                ids,
                rows,
                weights=config.loss_weights,
                num_negatives=min(config.num_negatives, count - 1),
                temperature=config.temperature,
            )
            share = (rows.stop - rows.start) / count
            total += share * float(found.total)
            for name in means:
                means[name] += share * float(found.terms[name])
        return total, means

    def _predict(self, model: torch.nn.Module, part: str, oldest: np.ndarray | None):
        """Yield predictions, a block of queries at a time. [block, D]."""
        queries, config = self.queries[part], self.config
        width = config.context_length * self.vectors.shape[1] * 4
        size = max(1, min(EVAL_BLOCK, EVAL_BYTES[config.device] // width))
        for start in range(0, len(queries.positions), size):
            positions = queries.positions[start : start + size]
            rows = queries.stream.context_rows(positions, config.context_length)
            if oldest is not None:
                rows[:, : oldest.shape[1]] = oldest[start : start + size]
            context = self.source.gather(rows)
            with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bfloat16"):
                yield model(context)
