"""The terms of the loss, one entry each. An entry is all that a new term needs.

From it follow the total loss, the recipe key and the `trials` column of its weight, its columns in `curves`, and their
rows in the data dictionary. A new term changes the numbers of runs in which its weight is not 0: give it a recipe key
with the default 0, or raise lvm_core.version.TRAINER_VERSION.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tensor = Any  # a torch.Tensor. Each term imports torch itself: the columns below are also read where there is no torch


@dataclass(frozen=True)
class RecipeWeight:
    """A weight that a study can set: its key in the recipe, its default, and its smallest value."""

    key: str
    default: float
    at_least: float = 0.0


@dataclass(frozen=True, eq=False)
class LossInputs:
    """What a term is computed from, for some rows of a batch whose targets are all given.

    prediction: [rows, D] float32, of unit length where `is_unit`. targets: [B, D] float32, of unit length.
    negatives: [rows, B] bool, the targets that each row must tell from its own.
    """

    prediction: Tensor
    targets: Tensor
    rows: slice
    negatives: Tensor
    temperature: float
    is_unit: bool

    @property
    def own_targets(self) -> Tensor:
        """Each row's own target. [rows, D]."""
        return self.targets[self.rows]


@dataclass(frozen=True)
class LossTerm:
    """A term's mean over the rows, and its weight in the total: a fixed number, or a value of the recipe.

    on_validation: whether its mean on validation is recorded too. meaning: what it measures, for the data dictionary;
    None for the published terms.
    """

    name: str
    compute: Callable[[LossInputs], Tensor]
    weight: float | RecipeWeight
    on_validation: bool
    meaning: str | None

    @property
    def column(self) -> str:
        """The column of `curves` that holds its mean over training batches."""
        return f"loss_{self.name}"

    @property
    def validation_column(self) -> str:
        """The column of `curves` that holds its mean on validation, where that is recorded."""
        return f"val_{self.name}"

    def weight_in(self, config: Any) -> float:
        """Return the weight under a config that has the keys of all recipe weights."""
        return getattr(config, self.weight.key) if isinstance(self.weight, RecipeWeight) else self.weight


LOSS_TERMS: dict[str, LossTerm] = {}


def register(
    name: str, *, weight: float | RecipeWeight, on_validation: bool = False, meaning: str | None = None
) -> Callable[[Callable[[LossInputs], Tensor]], Callable[[LossInputs], Tensor]]:
    """Register a term. Its fields are those of LossTerm."""

    def add(compute: Callable[[LossInputs], Tensor]) -> Callable[[LossInputs], Tensor]:
        assert name not in LOSS_TERMS, f"two loss terms are named {name}"
        LOSS_TERMS[name] = LossTerm(name, compute, weight, on_validation, meaning)
        return compute

    return add


def recipe_weights() -> list[RecipeWeight]:
    """Return the weights that a recipe holds."""
    return [term.weight for term in LOSS_TERMS.values() if isinstance(term.weight, RecipeWeight)]


def validation_terms() -> list[LossTerm]:
    """Return the terms that are recorded on validation."""
    return [term for term in LOSS_TERMS.values() if term.on_validation]


@register("mse", weight=1.0)
def mse(given: LossInputs) -> Tensor:
    """Return the mean squared error over rows and dimensions."""
    from torch.nn import functional as F

    return F.mse_loss(given.prediction, given.own_targets)


@register("cosine", weight=0.5)
def cosine(given: LossInputs) -> Tensor:
    """Return the mean of 1 - cosine."""
    from torch.nn import functional as F

    prediction = given.prediction if given.is_unit else F.normalize(given.prediction, dim=-1)
    return (1 - (prediction * given.own_targets).sum(-1)).mean()


@register("infonce", weight=RecipeWeight("alpha", default=0.03), on_validation=True)
def infonce(given: LossInputs) -> Tensor:
    """Return the mean InfoNCE: each row's own target against its negatives.

    Source: van den Oord et al. (2018), eq. 4, with cosine similarity. Targets are data, so a row's loss needs no other
    row's prediction: micro-batches split the work and change nothing.
    """
    import torch
    from torch.nn import functional as F

    logits = given.prediction @ given.targets.T / given.temperature
    own = torch.arange(len(given.targets), device=given.targets.device)[given.rows]
    keep = given.negatives.scatter(1, own[:, None], True)
    logits = logits.masked_fill(~keep, float("-inf"))
    return F.cross_entropy(logits, own, reduction="none").mean()  # F's own mean rounds differently
