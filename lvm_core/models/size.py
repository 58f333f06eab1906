"""Choose a model's width by its number of parameters, so that architectures are compared at equal size."""

from dataclasses import replace

import torch

from lvm_core.errors import InputError
from lvm_core.models.build import build_model
from lvm_core.models.config import ModelConfig

MAX_HIDDEN_DIM = 16_384
TOLERANCE = 0.02


def hidden_dim_for(config: ModelConfig, num_parameters: int) -> int:
    """Return the hidden_dim whose number of trainable parameters is nearest to `num_parameters`.

    Raises: InputError where the nearest number is more than 2 % away.
    """
    low, high = 1, MAX_HIDDEN_DIM
    while low < high:  # find the narrowest model with at least as many
        middle = (low + high) // 2
        low, high = (low, middle) if count_parameters(config, middle) >= num_parameters else (middle + 1, high)
    best = min((low, max(1, low - 1)), key=lambda width: abs(count_parameters(config, width) - num_parameters))
    found = count_parameters(config, best)
    if abs(found - num_parameters) > TOLERANCE * num_parameters:
        raise InputError(
            f"a model must have num_parameters within 2 %, but {config.model} at {config.dim} dims has {found:,} with "
            f"its nearest hidden_dim {best}, not {num_parameters:,}. Change fixed.num_parameters."
        )
    return best


def count_parameters(config: ModelConfig, hidden_dim: int) -> int:
    """Count trainable parameters at a width, without allocating them."""
    with torch.device("meta"):
        return build_model(replace(config, hidden_dim=hidden_dim), seed=0).num_parameters()
