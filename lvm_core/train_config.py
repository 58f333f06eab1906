"""The recipe of one training run, less the shape of its model."""

import math
from dataclasses import dataclass, make_dataclass
from typing import Literal

from lvm_core.loss_terms import LOSS_TERMS, recipe_weights

SelectBy = Literal["hit_at_5", "loss"]
Schedule = Literal["cosine", "wsd"]

# one field for each weight that a recipe holds, such as `alpha`
LossWeights = make_dataclass(
    "LossWeights", [(weight.key, float, weight.default) for weight in recipe_weights()], frozen=True, kw_only=True
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LossWeights):
    """The recipe of one run. Time is counted in optimizer steps and evaluations, never in epochs.

    micro_batch_size: only splits the work; None: chosen by the memory of the device.
    negatives_within: the batch is cut into stretches of that many rows, like the published micro-batches, and a row's
    negatives are all other targets of its stretch; None: `num_negatives` targets of the whole batch.
    steps_per_epoch: set where evaluations follow the published epochs; see lvm_core.schedule.
    select_by: the figure that makes an evaluation the best one, on validation.
    normalize_loss: whether the losses get predictions of unit length.
    schedule: of the learning rate. `cosine` falls to its end at `max_steps`, which a run that patience stops never
    reaches. `wsd` (warm-up, stable, decay) stays at its peak; where patience runs out, it decays from its best
    evaluation on; see schedule.py.
    """

    context_length: int
    num_sequences: int
    temperature: float = 0.07
    learning_rate: float = 1e-4
    weight_decay: float = 1e-4
    batch_size: int = 256
    num_negatives: int = 224
    micro_batch_size: int | None = None
    grad_clip: float = 1.0
    max_steps: int = 2000
    warmup_steps: int = 50
    eval_interval: int = 100
    patience: int = 3
    device: str = "cpu"
    precision: str = "float32"
    negatives_within: int | None = None
    steps_per_epoch: int | None = None
    select_by: SelectBy = "hit_at_5"
    normalize_loss: bool = True
    schedule: Schedule = "cosine"

    @property
    def loss_weights(self) -> dict[str, float]:
        """The weight of every term of the loss, by the name of the term."""
        return {name: term.weight_in(self) for name, term in LOSS_TERMS.items()}

    @property
    def num_evaluations(self) -> int:
        """The most evaluations a run can have."""
        return math.ceil(self.max_steps / (self.steps_per_epoch or self.eval_interval))
