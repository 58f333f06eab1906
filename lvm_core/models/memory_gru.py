"""A GRU with an external memory bank, as published: read, recur, read again, fuse, write."""

import torch
from torch import nn
from torch.nn import functional as F

from lvm_core.models.config import ModelConfig
from lvm_core.models.gru import gru_flops, gru_stack
from lvm_core.models.registry import register

KEEP, WRITE = 0.9, 0.1  # the published update of the bank


@register("memory_gru")
class MemoryGRU(nn.Module):
    """Memory-Augmented GRU. At D=768, H=512, L=4 and 2,048 slots it has 11,292,160 trainable parameters."""

    def __init__(self, dim: int, hidden_dim: int, num_layers: int, dropout: float, num_slots: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.register_buffer("bank", F.normalize(torch.randn(num_slots, dim), dim=-1))
        self.query = nn.Linear(hidden_dim, dim)
        self.gru = gru_stack(2 * dim, hidden_dim, num_layers, dropout)
        self.fusion = nn.Sequential(
            nn.Linear(hidden_dim + dim, hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.LayerNorm(hidden_dim)
        )
        self.output = nn.Sequential(
            nn.Linear(hidden_dim, 2 * hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * hidden_dim, dim)
        )
        self.write = nn.Linear(hidden_dim, num_slots)
        self.register_buffer("written", torch.zeros(num_slots + dim + 1), persistent=False)

    @classmethod
    def from_config(cls, config: ModelConfig) -> "MemoryGRU":
        return cls(config.dim, config.hidden_dim, config.num_layers, config.dropout, config.num_slots)

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """[B, C, D] -> [B, D]. In training, the means that end_step writes to the bank are gathered."""
        batch, length, _ = context.shape
        first = self._read(context.new_zeros(batch, self.gru.hidden_size))
        inputs = torch.cat([self.norm(context), first[:, None].expand(-1, length, -1)], dim=-1)
        states, _ = self.gru(inputs)
        hidden = states[:, -1]
        fused = self.fusion(torch.cat([hidden, self._read(hidden)], dim=-1))
        output = self.output(fused)
        if self.training:
            self._gather(fused, output)
        return output

    def _read(self, hidden: torch.Tensor) -> torch.Tensor:
        """Read the bank by softmax over cosine similarity. [B, H] -> [B, D]."""
        similarity = F.normalize(self.query(hidden), dim=-1) @ F.normalize(self.bank, dim=-1).T
        return torch.softmax(similarity.float(), dim=-1).to(self.bank.dtype) @ self.bank

    @torch.no_grad()
    def _gather(self, fused: torch.Tensor, output: torch.Tensor) -> None:
        """Add up write weights, outputs and their number, so that the update does not depend on micro-batches."""
        weights = torch.softmax(self.write(fused).float(), dim=-1).sum(0)
        count = weights.new_tensor([len(fused)])
        self.written += torch.cat([weights, output.float().sum(0), count])

    @torch.no_grad()
    def end_step(self) -> None:
        """Update the bank: 0.9 old + 0.1 outer(mean write weights, mean output)."""
        num_slots = len(self.bank)
        mean = self.written[:-1] / self.written[-1]
        self.bank.mul_(KEEP).add_(torch.outer(mean[:num_slots], mean[num_slots:]), alpha=WRITE)
        self.written.zero_()

    def flops_per_sequence(self, context_length: int) -> float:
        """Return forward FLOPs: the recurrence, two reads, the heads, and the write weights."""
        recurrence = context_length * gru_flops(self.gru.input_size, self.gru.hidden_size, self.gru.num_layers)
        linears = (self.query, self.query, self.write, self.fusion[0], self.output[0], self.output[3])
        reads = 2 * 2 * 2.0 * self.bank.numel()
        return recurrence + reads + sum(2.0 * layer.weight.numel() for layer in linears)
