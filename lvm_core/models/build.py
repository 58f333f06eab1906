"""Build a model by name, and turn its output into a unit prediction."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from lvm_core.models.gru import GRU
from lvm_core.models.hierarchical_gru import HierarchicalGRU
from lvm_core.models.memory_gru import MemoryGRU
from lvm_core.models.transformer import Transformer

ANCHORS = ("last", "ema")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that fixes a model's shape. Values that a model does not use do not change it."""

    dim: int
    model: str = "gru"
    anchor: str = "last"
    hidden_dim: int = 128
    num_layers: int = 1
    dropout: float = 0.1
    num_slots: int = 64
    chunk_length: int = 8


def _gru(config: ModelConfig) -> GRU:
    return GRU(config.dim, config.hidden_dim, config.num_layers, config.dropout)


def _memory_gru(config: ModelConfig) -> MemoryGRU:
    return MemoryGRU(config.dim, config.hidden_dim, config.num_layers, config.dropout, config.num_slots)


def _hierarchical_gru(config: ModelConfig) -> HierarchicalGRU:
    return HierarchicalGRU(config.dim, config.hidden_dim, config.num_layers, config.dropout, config.chunk_length)


def _transformer(config: ModelConfig) -> Transformer:
    return Transformer(config.dim, config.hidden_dim, config.num_layers, config.dropout)


MODELS = {"gru": _gru, "memory_gru": _memory_gru, "hierarchical_gru": _hierarchical_gru, "transformer": _transformer}


class LatentVectorModel(nn.Module):
    """y_hat = l2_normalize(anchor + core(context)).

    The core is a module with `forward(context [B, C, D]) -> [B, D]`, `flops_per_sequence(context_length)` of one
    forward pass, and `end_step()`, called after each optimizer step.
    """

    def __init__(self, core: nn.Module, anchor: str):
        super().__init__()
        self.core = core
        # sigmoid(2.2) = 0.9: the exponential average starts with a memory of about ten vectors
        self.ema_logit = nn.Parameter(torch.tensor(2.2)) if anchor == "ema" else None

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """[B, C, D] float32, unit vectors -> [B, D] float32, unit vectors."""
        return F.normalize(self.unscaled(context), dim=-1)

    def unscaled(self, context: torch.Tensor) -> torch.Tensor:
        """Return the prediction before it is scaled to unit length. [B, D] float32."""
        return self.anchor(context) + self.core(context).float()

    def anchor(self, context: torch.Tensor) -> torch.Tensor:
        """Return the last vector, or a learned exponential average of the context. [B, D]."""
        if self.ema_logit is None:
            return context[:, -1]
        age = torch.arange(context.shape[1] - 1, -1, -1, device=context.device)
        weight = torch.sigmoid(self.ema_logit) ** age
        return torch.einsum("c,bcd->bd", weight / weight.sum(), context)

    def num_parameters(self) -> int:
        """Count trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def train_flops_per_sequence(self, context_length: int) -> float:
        """Estimate a training step's FLOPs a sequence: three forward passes (backward costs two)."""
        return 3.0 * self.core.flops_per_sequence(context_length)

    def end_step(self) -> None:
        """Apply what a core gathered over the micro-batches of one optimizer step."""
        self.core.end_step()


def build_model(config: ModelConfig, seed: int) -> LatentVectorModel:
    """Build a model with weights drawn from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LatentVectorModel(MODELS[config.model](config), config.anchor)
