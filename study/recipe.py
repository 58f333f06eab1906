"""The values that a space file may fix, search or compare, with their bounds and published defaults."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lvm_core.models import ModelConfig
from lvm_core.trainer import TrainConfig

MODEL_FIELDS = ("model", "anchor", "hidden_dim", "num_layers", "dropout", "num_slots", "chunk_length")


class Recipe(BaseModel):
    """One configuration, less its cell and patience. Defaults are the published recipe where it has a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Literal["gru", "memory_gru", "hierarchical_gru"] = "gru"
    anchor: Literal["last", "ema"] = "last"
    hidden_dim: int = Field(128, ge=1, le=16_384)
    num_layers: int = Field(1, ge=1, le=64)
    dropout: float = Field(0.1, ge=0, lt=1)
    num_slots: int = Field(64, ge=1, le=1_000_000)
    chunk_length: int = Field(8, ge=1)
    alpha: float = Field(0.03, ge=0)
    temperature: float = Field(0.07, gt=0)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    batch_size: int = Field(256, ge=2)
    num_negatives: int = Field(224, ge=1)
    micro_batch_size: int | None = Field(None, ge=1)
    grad_clip: float = Field(1.0, gt=0)
    max_steps: int = Field(2000, ge=1)
    warmup_steps: int = Field(50, ge=0)
    eval_interval: int = Field(100, ge=1)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def model_part(self, dim: int) -> ModelConfig:
        """Return what fixes the model's shape."""
        return ModelConfig(dim=dim, **{name: getattr(self, name) for name in MODEL_FIELDS})

    def training_part(self, context_length: int, num_sequences: int, patience: int) -> TrainConfig:
        """Return what fixes the training run."""
        rest = {name: value for name, value in self.model_dump().items() if name not in MODEL_FIELDS}
        return TrainConfig(context_length=context_length, num_sequences=num_sequences, patience=patience, **rest)
