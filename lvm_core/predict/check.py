"""Check an exported folder before its model is built: its config can ask for any size, its files can hold anything."""

from pathlib import Path
from typing import get_args

import torch

from lvm_core.checkpoint import CONFIG, read_folder
from lvm_core.errors import InputError
from lvm_core.models import MODELS, ModelConfig, build_model
from lvm_core.models.config import Anchor

SIZES = ("dim", "hidden_dim", "num_layers", "num_slots", "chunk_length")
MAX_SIZE = 1 << 20  # far above any model here, and a product of two sizes still fits in 64 bits


def check_model(folder: Path) -> None:
    """Raise InputError unless config.json describes a model whose weights are the tensors, all finite float32.

    Nothing is allocated at the sizes that the config asks for.
    """
    try:
        tensors, facts = read_folder(folder)
        _check_facts(facts)
        config = _checked(facts["model"], len(tensors))
        with torch.device("meta"):
            shapes = {name: value.shape for name, value in build_model(config, seed=0).state_dict().items()}
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise InputError(f"{CONFIG} must describe a model, but that in {folder} does not: {error}") from error
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            found = list(tensors[name].shape) if name in tensors else "none"
            raise InputError(
                f"the weights must fit their config, but those in {folder} do not: {name} must be {list(shape)}, but "
                f"is {found}. Export the model again."
            )
        if tensors[name].dtype != torch.float32 or not tensors[name].isfinite().all():
            raise InputError(f"weights must be finite float32, but {name} in {folder} is not. Export the model again.")


def _check_facts(facts: dict) -> None:
    """Raise TypeError or ValueError unless config.json holds what a predictor reads."""
    if not isinstance(facts, dict):
        raise TypeError(f"it must be an object, but is a {type(facts).__name__}")
    training = facts.get("training")
    length = training.get("context_length") if isinstance(training, dict) else None
    if type(length) is not int or length < 1:
        raise ValueError(f"it must have training.context_length, 1 or more, but has {str(length)[:40]}")
    if not isinstance(facts.get("corpus_fingerprint"), str | None):
        raise ValueError(f"corpus_fingerprint must be text, but is a {type(facts['corpus_fingerprint']).__name__}")


def _checked(values: dict, num_tensors: int) -> ModelConfig:
    """Return the model config of a file. Raises: KeyError, TypeError or ValueError for values that no model has."""
    if not isinstance(values, dict):
        raise TypeError(f"`model` must be an object, but is a {type(values).__name__}")
    config = ModelConfig(**values)
    for name in SIZES:
        size = getattr(config, name)
        if type(size) is not int or not 1 <= size < MAX_SIZE:
            raise ValueError(f"{name} must be a whole number of 1 or more, but is {str(size)[:40]}")
    if config.num_layers > num_tensors:
        raise ValueError(f"every layer must have a tensor, but there are {num_tensors} for {config.num_layers} layers")
    if config.model not in MODELS or config.anchor not in get_args(Anchor):
        found = f"{str(config.model)[:40]} and {str(config.anchor)[:40]}"
        raise ValueError(f"the model and the anchor must be known, but are {found}")
    if type(config.dropout) not in (int, float) or not 0 <= config.dropout <= 1:
        raise ValueError(f"dropout must be between 0 and 1, but is {str(config.dropout)[:40]}")
    return config
