"""Define a trial by everything that determines its numbers, and derive its id."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from lvm_core.data_config import DataConfig
from lvm_core.identity import identifying
from lvm_core.seeds import child_seed
from study.space.recipe import Recipe

IDENTITY = (
    "stage",
    "protocol",
    "context_length",
    "num_sequences",
    "replicate",
    "seed",
    "recipe",
    "patience",
    "corpus_fingerprint",
    "split_fingerprint",
    "trainer_version",
)
HASHED_KEYS = (  # frozen: a key that Recipe gets later is hashed only where it is not its default
    "model", "anchor", "hidden_dim", "num_parameters", "num_layers", "dropout", "num_slots", "chunk_length", "alpha",
    "temperature", "learning_rate", "weight_decay", "batch_size", "num_negatives", "micro_batch_size", "negatives_from",
    "normalize_loss", "select_by", "grad_clip", "max_steps", "warmup_steps", "eval_interval", "epochs", "device",
    "precision",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One trial, to be sent to a worker. All values are plain data.

    `recipe` holds every resolved value of study.space.recipe.Recipe, or the name of a baseline as `model`.
    `code_fingerprint` is the driver's; a worker must have the same. It does not enter the id.
    """

    study: str
    stage: str
    protocol: str
    cell_id: str
    context_length: int
    num_sequences: int | None
    replicate: int | None
    seed: int
    recipe: dict[str, Any]
    patience: int | None
    corpus: str
    corpus_name: str
    corpus_fingerprint: str
    data: dict[str, Any]
    split_fingerprint: str
    trainer_version: str
    code_fingerprint: str

    @property
    def trial_id(self) -> str:
        """16 hex digits over everything that determines the result, so not the study's name or paths."""
        defaults = {key: field.default for key, field in Recipe.model_fields.items()}
        identity = {key: getattr(self, key) for key in IDENTITY}
        identity["recipe"] = identifying(self.recipe, HASHED_KEYS, defaults)
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def replicate_seed(self) -> int:
        """The seed of this replicate's joint draw of subset, weights and order."""
        return child_seed(self.seed, "replicate", self.replicate or 0)

    def data_config(self) -> DataConfig:
        """Return the data options as the trainer's config."""
        return DataConfig(**{**self.data, "fractions": tuple(self.data["fractions"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
