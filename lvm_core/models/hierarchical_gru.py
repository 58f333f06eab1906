"""A two-level GRU: a local one reads chunks of the context, and a global one reads their summaries."""

import torch
from torch import nn
from torch.nn import functional as F

from lvm_core.models.config import ModelConfig
from lvm_core.models.gru import gru_flops, gru_stack
from lvm_core.models.registry import register


@register("hierarchical_gru")
class HierarchicalGRU(nn.Module):
    """A local GRU in chunks of `chunk_length`, counted from the end, and a global GRU over the chunk summaries."""

    def __init__(self, dim: int, hidden_dim: int, num_layers: int, dropout: float, chunk_length: int):
        super().__init__()
        self.chunk_length = chunk_length
        self.local_gru = gru_stack(dim, hidden_dim, 1, dropout)
        self.global_gru = gru_stack(hidden_dim, hidden_dim, num_layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, dim)

    @classmethod
    def from_config(cls, config: ModelConfig) -> "HierarchicalGRU":
        return cls(config.dim, config.hidden_dim, config.num_layers, config.dropout, config.chunk_length)

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """[B, C, D] -> [B, D]. A first chunk that is not full is filled with zeros before the oldest vector."""
        batch, length, dim = context.shape
        padded = F.pad(context, (0, 0, -length % self.chunk_length, 0))
        chunks = padded.reshape(-1, self.chunk_length, dim)  # [B * num_chunks, chunk_length, D]
        local, _ = self.local_gru(chunks)
        summaries = local[:, -1].reshape(batch, -1, local.shape[-1])  # [B, num_chunks, H]
        states, _ = self.global_gru(summaries)
        return self.output(self.dropout(states[:, -1]))

    def flops_per_sequence(self, context_length: int) -> float:
        """Return forward FLOPs."""
        num_chunks = -(-context_length // self.chunk_length)
        local = num_chunks * self.chunk_length * gru_flops(self.local_gru.input_size, self.local_gru.hidden_size, 1)
        stack = self.global_gru
        return (
            local
            + num_chunks * gru_flops(stack.input_size, stack.hidden_size, stack.num_layers)
            + (2.0 * self.output.weight.numel())
        )

    def end_step(self) -> None:
        """Do nothing: this model has no state beside its weights."""
