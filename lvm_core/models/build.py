"""Build a model by name, and turn its output into a prediction of unit length."""

import torch
from torch import nn
from torch.nn import functional as F

from lvm_core.models.config import ModelConfig
from lvm_core.models.registry import MODELS


class LatentVectorModel(nn.Module):
    """y_hat = l2_normalize(anchor + core(context)).

    The core is a registered model: a module with `from_config(config)`, `forward(context [B, C, D]) -> [B, D]`,
    `flops_per_sequence(context_length)` of one forward pass, and `end_step()`, called after each optimizer step.
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
        """Return the prediction before it is scaled to unit length. [B, C, D] -> [B, D] float32."""
        return self.anchor(context) + self.core(context).float()

    def anchor(self, context: torch.Tensor) -> torch.Tensor:
        """Return the last vector, or a learned exponential average of the context. [B, C, D] -> [B, D]."""
        if self.ema_logit is None:
            return context[:, -1]
        age = torch.arange(context.shape[1] - 1, -1, -1, device=context.device)
        weight = torch.sigmoid(self.ema_logit) ** age
        return torch.einsum("c,bcd->bd", weight / weight.sum(), context)

    def num_parameters(self) -> int:
        """Count trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def train_flops_per_sequence(self, context_length: int) -> float:
        """Estimate the FLOPs of training on one sequence: three forward passes, since a backward pass costs two."""
        return 3.0 * self.core.flops_per_sequence(context_length)

    def end_step(self) -> None:
        """Apply what the core gathered over the micro-batches of one optimizer step."""
        self.core.end_step()


def build_model(config: ModelConfig, seed: int) -> LatentVectorModel:
    """Build a model with weights drawn from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LatentVectorModel(MODELS[config.model].from_config(config), config.anchor)
