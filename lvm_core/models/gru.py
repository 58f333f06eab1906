"""A plain GRU stack."""

import torch
from torch import nn

from lvm_core.models.config import ModelConfig
from lvm_core.models.registry import register


def gru_flops(input_dim: int, hidden_dim: int, num_layers: int) -> float:
    """Return the forward FLOPs of one time step of a GRU stack: three gates, two FLOPs per multiply-add."""
    inputs = [input_dim] + [hidden_dim] * (num_layers - 1)
    return float(sum(2 * 3 * hidden_dim * (size + hidden_dim) for size in inputs))


def gru_stack(input_dim: int, hidden_dim: int, num_layers: int, dropout: float) -> nn.GRU:
    """Build a batch-first GRU; PyTorch allows dropout only between layers."""
    return nn.GRU(input_dim, hidden_dim, num_layers, batch_first=True, dropout=dropout if num_layers > 1 else 0.0)


@register("gru")
class GRU(nn.Module):
    """A GRU over the context, with a linear output from its last hidden state."""

    def __init__(self, dim: int, hidden_dim: int, num_layers: int, dropout: float):
        super().__init__()
        self.gru = gru_stack(dim, hidden_dim, num_layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, dim)

    @classmethod
    def from_config(cls, config: ModelConfig) -> "GRU":
        return cls(config.dim, config.hidden_dim, config.num_layers, config.dropout)

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """[B, C, D] -> [B, D]."""
        hidden, _ = self.gru(context)
        return self.output(self.dropout(hidden[:, -1]))

    def flops_per_sequence(self, context_length: int) -> float:
        """Return forward FLOPs."""
        step = gru_flops(self.gru.input_size, self.gru.hidden_size, self.gru.num_layers)
        return context_length * step + 2.0 * self.output.weight.numel()

    def end_step(self) -> None:
        """Do nothing: this model has no state beside its weights."""
