"""A small pre-norm transformer encoder over the context, whose output is read at the last position."""

import torch
from torch import nn
from torch.nn import functional as F

from lvm_core.models.config import ModelConfig
from lvm_core.models.registry import register

NUM_HEADS = 4
WIDENING = 4  # of the feed-forward layer, as usual


class Block(nn.Module):
    """Attention and feed-forward, each after a LayerNorm and with a residual (pre-LN: Xiong et al., 2020)."""

    def __init__(self, hidden_dim: int, dropout: float):
        super().__init__()
        self.head_dim = -(-hidden_dim // NUM_HEADS)  # rounded up, so that any hidden_dim works
        inner = NUM_HEADS * self.head_dim
        self.norm_attention, self.norm_feed_forward = nn.LayerNorm(hidden_dim), nn.LayerNorm(hidden_dim)
        self.query, self.key_value = nn.Linear(hidden_dim, inner), nn.Linear(hidden_dim, 2 * inner, bias=False)
        self.mix = nn.Linear(inner, hidden_dim)
        self.widen, self.narrow = (
            nn.Linear(hidden_dim, WIDENING * hidden_dim),
            nn.Linear(WIDENING * hidden_dim, hidden_dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """[B, C, H] -> [B, C, H]."""
        states = states + self.dropout(self._attend(self.norm_attention(states)))
        return states + self.dropout(self.narrow(F.gelu(self.widen(self.norm_feed_forward(states)))))

    def _attend(self, states: torch.Tensor) -> torch.Tensor:
        batch, length, _ = states.shape
        heads = (batch, length, NUM_HEADS, self.head_dim)
        query = self.query(states).view(heads).transpose(1, 2)  # [B, heads, C, head_dim]
        key, value = (half.reshape(heads).transpose(1, 2) for half in self.key_value(states).chunk(2, dim=-1))
        weight = torch.softmax((query @ key.transpose(-2, -1)).float() / self.head_dim**0.5, dim=-1).to(value.dtype)
        return self.mix((weight @ value).transpose(1, 2).reshape(batch, length, -1))

    def flops(self, length: int) -> float:
        """Return forward FLOPs: the linear layers at every position, and the attention between all pairs."""
        layers = (self.query, self.key_value, self.mix, self.widen, self.narrow)
        inner = NUM_HEADS * self.head_dim
        return length * sum(2.0 * layer.weight.numel() for layer in layers) + 2 * 2.0 * length * length * inner


@register("transformer")
class Transformer(nn.Module):
    """Pre-norm encoder. Positions are encoded by the age of a vector, so that an age means the same at every C."""

    def __init__(self, dim: int, hidden_dim: int, num_layers: int, dropout: float):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.input = nn.Linear(dim, hidden_dim)
        self.blocks = nn.ModuleList(Block(hidden_dim, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_dim)
        self.output = nn.Linear(hidden_dim, dim)

    @classmethod
    def from_config(cls, config: ModelConfig) -> "Transformer":
        return cls(config.dim, config.hidden_dim, config.num_layers, config.dropout)

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """[B, C, D] -> [B, D]."""
        states = self.input(context)
        states = states + ages(context.shape[1], self.hidden_dim, context.device).to(states.dtype)
        for block in self.blocks:
            states = block(states)
        return self.output(self.norm(states[:, -1]))

    def flops_per_sequence(self, context_length: int) -> float:
        """Return forward FLOPs."""
        ends = context_length * 2.0 * self.input.weight.numel() + 2.0 * self.output.weight.numel()
        return ends + sum(block.flops(context_length) for block in self.blocks)

    def end_step(self) -> None:
        """Do nothing: this model has no state beside its weights."""


def ages(length: int, hidden_dim: int, device: torch.device) -> torch.Tensor:
    """Return sinusoids of each vector's age, 0 for the last. [C, H]. Source: Vaswani et al. (2017), 3.5."""
    age = torch.arange(length - 1, -1, -1, device=device, dtype=torch.float32)
    column = torch.arange(hidden_dim, device=device)
    angle = age[:, None] / 10_000 ** ((column // 2 * 2) / hidden_dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
