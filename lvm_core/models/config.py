"""What fixes a model's shape."""

from dataclasses import dataclass
from typing import Literal

Anchor = Literal["last", "ema"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that fixes a model's shape. A value that a model does not use does not change it."""

    dim: int
    model: str = "gru"
    anchor: Anchor = "last"
    hidden_dim: int = 128
    num_layers: int = 1
    dropout: float = 0.1
    num_slots: int = 64
    chunk_length: int = 8
