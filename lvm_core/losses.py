"""The published loss, on normalised vectors: MSE + 0.5 (1 - cos) + alpha * InfoNCE."""

from typing import NamedTuple

import torch
from torch.nn import functional as F

COSINE_WEIGHT = 0.5


class Losses(NamedTuple):
    """Means over the rows given. `total` is what is minimised."""

    total: torch.Tensor
    mse: torch.Tensor
    cosine: torch.Tensor
    infonce: torch.Tensor


def negative_mask(
    target_ids: torch.Tensor, rows: slice, num_negatives: int, negatives_within: int | None = None
) -> torch.Tensor:
    """Choose each row's negatives: the next `num_negatives` targets after it, in cyclic order, that are not its own.

    target_ids: [B] int64, equal for equal targets. Every row gets the same number of negatives, also where the
    training set is smaller than the batch and targets repeat. With `negatives_within`, the batch falls into stretches
    of so many rows, as into published micro-batches: a row's negatives are all other targets of its own stretch.
    Returns [rows, B] bool.

    Raises: ValueError where a row has fewer other targets than that.
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
        raise ValueError(f"each row needs {num_negatives} negatives, but one has {int(other.sum(1).min())}")
    return torch.zeros_like(chosen).scatter_(1, columns, chosen)


def info_nce(
    prediction: torch.Tensor, targets: torch.Tensor, rows: slice, negatives: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return InfoNCE a row: its own target against its negatives. [rows, D], [B, D] unit vectors -> [rows].

    Source: van den Oord et al. (2018), eq. 4, with cosine similarity. Targets are data, so each row's loss needs no
    other row's prediction: micro-batches split the work and change nothing.
    """
    logits = prediction @ targets.T / temperature
    own = torch.arange(len(targets), device=targets.device)[rows]
    keep = negatives.scatter(1, own[:, None], True)
    logits = logits.masked_fill(~keep, float("-inf"))
    return F.cross_entropy(logits, own, reduction="none")


def losses(
    prediction: torch.Tensor,
    targets: torch.Tensor,
    target_ids: torch.Tensor,
    rows: slice,
    *,
    alpha: float,
    num_negatives: int,
    temperature: float,
    negatives_within: int | None = None,
    is_unit: bool = True,
) -> Losses:
    """Return the loss terms of a micro-batch: `rows` of the batch whose targets are all given.

    prediction: [rows, D], of unit length unless `is_unit` is False; targets: [B, D] of unit length; target_ids: [B].
    Everything float32. Without unit length, MSE and InfoNCE see the raw prediction, as before the published fix.
    """
    own = targets[rows]
    mse = F.mse_loss(prediction, own)
    cosine = (1 - ((prediction if is_unit else F.normalize(prediction, dim=-1)) * own).sum(-1)).mean()
    negatives = negative_mask(target_ids, rows, num_negatives, negatives_within)
    infonce = info_nce(prediction, targets, rows, negatives, temperature).mean()
    return Losses(mse + COSINE_WEIGHT * cosine + alpha * infonce, mse, cosine, infonce)
