"""A plain reference implementation of the published training: epochs, materialised windows, micro-batches of 32.

float32, `nn.GRU`, every window copied into one [N, C, D] tensor, micro-batch 32 accumulated to an effective batch of
256, in-batch negatives from the micro-batch, AdamW, gradient clip 1.0. It shares no code with the trainer
under test.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MICRO_BATCH, EFFECTIVE_BATCH = 32, 256


class ReferenceModel(nn.Module):
    """The same network as the trainer's `gru`."""

    def __init__(self, dim: int, hidden_dim: int, dropout: float):
        super().__init__()
        self.gru = nn.GRU(dim, hidden_dim, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, dim)

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.gru(context)
        return F.normalize(context[:, -1] + self.output(self.dropout(hidden[:, -1])), dim=-1)


def materialise(vectors: np.ndarray, targets: np.ndarray, context_length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Copy every window. Returns contexts [N, C, D] and targets [N, D]."""
    contexts = np.stack([vectors[row - context_length : row] for row in targets])
    return torch.from_numpy(contexts), torch.from_numpy(vectors[targets])


def loss_of(prediction: torch.Tensor, target: torch.Tensor, alpha: float) -> torch.Tensor:
    """MSE + 0.5 (1 - cos) + alpha * InfoNCE over the micro-batch."""
    infonce = F.cross_entropy(prediction @ target.T / 0.07, torch.arange(len(target)))
    cosine = (1 - F.cosine_similarity(prediction, target)).mean()
    return F.mse_loss(prediction, target) + 0.5 * cosine + alpha * infonce


class ReferenceTrainer:
    """Runs optimizer steps with accumulated micro-batches over shuffled epochs."""

    def __init__(self, contexts, targets, hidden_dim: int, alpha: float, learning_rate: float, seed: int):
        torch.manual_seed(seed)
        self.contexts, self.targets, self.alpha = contexts, targets, alpha
        self.model = ReferenceModel(contexts.shape[-1], hidden_dim, dropout=0.1)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=learning_rate, weight_decay=1e-4)
        self._order = torch.empty(0, dtype=torch.int64)

    def step(self) -> None:
        """Take one optimizer step on 256 sequences."""
        self.model.train()
        self.optimizer.zero_grad()
        for _ in range(EFFECTIVE_BATCH // MICRO_BATCH):
            rows = self._next_rows()
            loss = loss_of(self.model(self.contexts[rows]), self.targets[rows], self.alpha)
            (loss * MICRO_BATCH / EFFECTIVE_BATCH).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def _next_rows(self) -> torch.Tensor:
        if len(self._order) < MICRO_BATCH:
            self._order = torch.randperm(len(self.targets))
        rows, self._order = self._order[:MICRO_BATCH], self._order[MICRO_BATCH:]
        return rows
