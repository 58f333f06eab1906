"""The values that a space file may fix, search or compare, with their bounds. The trainer owns their defaults."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, create_model
from pydantic_core import PydanticCustomError

from lvm_core.loss_terms import recipe_weights
from lvm_core.models import MODELS, ModelConfig
from lvm_core.models.config import Anchor
from lvm_core.models.size import MAX_HIDDEN_DIM, hidden_dim_for
from lvm_core.schedule import EPOCHS_BETWEEN, steps_per_epoch
from lvm_core.train_config import Schedule, SelectBy, TrainConfig
from study.messages.validation import nearest
from study.space.sections import STRICT

MODEL_FIELDS = ("model", "anchor", "hidden_dim", "num_layers", "dropout", "num_slots", "chunk_length")
ELSEWHERE = (*MODEL_FIELDS, "num_parameters", "epochs", "negatives_from")
# published micro-batches by the longest context each was used for; longer contexts used 4
MICRO_BATCHES = {100: 32, 500: 16, 1000: 8}
SMALLEST_MICRO_BATCH = 4


# one field per loss weight that the recipe sets, such as `alpha`
LossWeights = create_model(
    "LossWeights",
    **{weight.key: (float, Field(weight.default, ge=weight.at_least)) for weight in recipe_weights()},
)


def _registered(model: str) -> str:
    if model not in MODELS:
        raise PydanticCustomError("unknown_model", "input should name a model{hint}", {"hint": nearest(model, MODELS)})
    return model


class Recipe(LossWeights):
    """One configuration without its cell and patience. Defaults are the trainer's: published values where known."""

    model_config = STRICT

    model: Annotated[str, AfterValidator(_registered)] = ModelConfig.model
    anchor: Anchor = ModelConfig.anchor
    hidden_dim: int = Field(ModelConfig.hidden_dim, ge=1, le=MAX_HIDDEN_DIM)
    num_parameters: int | None = Field(None, ge=1)  # sets hidden_dim, to compare architectures of equal size
    num_layers: int = Field(ModelConfig.num_layers, ge=1, le=64)
    dropout: float = Field(ModelConfig.dropout, ge=0, lt=1)
    num_slots: int = Field(ModelConfig.num_slots, ge=1, le=1_000_000)
    chunk_length: int = Field(ModelConfig.chunk_length, ge=1)
    temperature: float = Field(TrainConfig.temperature, gt=0)
    learning_rate: float = Field(TrainConfig.learning_rate, gt=0)
    weight_decay: float = Field(TrainConfig.weight_decay, ge=0)
    batch_size: int = Field(TrainConfig.batch_size, ge=2)
    num_negatives: int = Field(TrainConfig.num_negatives, ge=1)
    micro_batch_size: int | None = Field(TrainConfig.micro_batch_size, ge=1)
    negatives_from: Literal["batch", "micro_batch"] = "batch"
    normalize_loss: bool = TrainConfig.normalize_loss
    select_by: SelectBy = TrainConfig.select_by
    grad_clip: float = Field(TrainConfig.grad_clip, gt=0)
    schedule: Schedule = TrainConfig.schedule
    max_steps: int = Field(TrainConfig.max_steps, ge=1)
    warmup_steps: int = Field(TrainConfig.warmup_steps, ge=0)
    eval_interval: int = Field(TrainConfig.eval_interval, ge=1)
    epochs: int | None = Field(None, ge=1)  # the published schedule; steps, warm-up and evaluations follow from it
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # the plan resolves `auto`: a trial has a real device
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def for_cell(self, context_length: int, num_sequences: int, dim: int) -> "Recipe":
        """Return the recipe with the values that depend on the cell: steps of its epochs, negatives, hidden_dim."""
        settled: dict[str, object] = {}
        if self.num_parameters is not None:
            settled["hidden_dim"] = hidden_dim_for(self.model_part(dim), self.num_parameters)
        if self.negatives_from == "micro_batch":
            size = self.micro_batch_size or published_micro_batch(context_length)
            settled |= {"micro_batch_size": size, "num_negatives": size - 1}
        if self.epochs is not None:
            epoch = steps_per_epoch(num_sequences, self.batch_size)
            settled |= {
                "max_steps": self.epochs * epoch,
                "warmup_steps": epoch,
                "eval_interval": EPOCHS_BETWEEN * epoch,
            }
        return self.model_copy(update=settled)

    def model_part(self, dim: int) -> ModelConfig:
        """Return the model's configuration."""
        return ModelConfig(dim=dim, **{name: getattr(self, name) for name in MODEL_FIELDS})

    def training_part(self, context_length: int, num_sequences: int, patience: int) -> TrainConfig:
        """Return the training run's configuration."""
        rest = {name: value for name, value in self.model_dump().items() if name not in ELSEWHERE}
        epoch = None if self.epochs is None else steps_per_epoch(num_sequences, self.batch_size)
        rest |= {"context_length": context_length, "num_sequences": num_sequences, "steps_per_epoch": epoch}
        if self.negatives_from == "micro_batch":  # the gradients are the same however the batch is split
            rest |= {"negatives_within": self.micro_batch_size, "micro_batch_size": None}
        return TrainConfig(patience=patience, **rest)


def published_micro_batch(context_length: int) -> int:
    """Return the micro-batch of the published runs at a context length: 32, 16, 8, 4."""
    fitting = [size for longest, size in MICRO_BATCHES.items() if context_length <= longest]
    return fitting[0] if fitting else SMALLEST_MICRO_BATCH
