"""The loss: the weighted sum of its terms. As published, MSE + 0.5 (1 - cos) + alpha * InfoNCE of unit vectors."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from lvm_core.loss_terms import LOSS_TERMS, LossInputs


class Losses(NamedTuple):
    """Means over the rows given. `total` is what is minimised; `terms` holds each term, by name and unweighted."""

    total: torch.Tensor
    terms: dict[str, torch.Tensor]


def negative_mask(
    target_ids: torch.Tensor, rows: slice, num_negatives: int, negatives_within: int | None = None
) -> torch.Tensor:
    """Choose each row's negatives: the next `num_negatives` targets, in cyclic order, that differ from its own.

    target_ids: [B] int64, equal for equal targets. Every row has the same number of negatives, even where the training
    set is smaller than the batch and targets repeat. With `negatives_within`, the batch is cut into stretches of that
    many rows, like the published micro-batches, and a row's negatives are all other targets of its own stretch.
    Returns [rows, B] bool.

    Raises: ValueError where a row has fewer than `num_negatives` other targets.
    """
    size = len(target_ids)
    own = torch.arange(size, device=target_ids.device)[rows]
    columns = (own[:, None] + torch.arange(size, device=target_ids.device)) % size  # cyclic, from the row itself
    other = target_ids[columns] != target_ids[own][:, None]
    if negatives_within is not None:
        other &= columns // negatives_within == own[:, None] // negatives_within
        return torch.zeros_like(other).scatter_(1, columns, other)
    chosen = other & (other.cumsum(1) <= num_negatives)
    if int(other.sum(1).min()) < num_negatives:
        fewest = int(other.sum(1).min())
        raise ValueError(f"each row needs {num_negatives} negatives, but one has {fewest}. Lower num_negatives.")
    return torch.zeros_like(chosen).scatter_(1, columns, chosen)


def losses(
    prediction: torch.Tensor,
    targets: torch.Tensor,
    target_ids: torch.Tensor,
    rows: slice,
    *,
    weights: Mapping[str, float],
    num_negatives: int,
    temperature: float,
    negatives_within: int | None = None,
    is_unit: bool = True,
) -> Losses:
    """Return the loss of a micro-batch: of `rows` of the batch. The targets of the whole batch are given.

    prediction: [rows, D], of unit length unless `is_unit` is False; targets: [B, D] of unit length; target_ids: [B].
    Everything float32. weights: by the name of the term. Without unit length, MSE and InfoNCE see the raw prediction,
    as before the published fix.
    """
    negatives = negative_mask(target_ids, rows, num_negatives, negatives_within)
    given = LossInputs(prediction, targets, rows, negatives, temperature, is_unit)
    terms = {name: term.compute(given) for name, term in LOSS_TERMS.items()}
    first, *rest = [weights[name] * value for name, value in terms.items()]
    return Losses(sum(rest, first), terms)
