"""Save and load weights as safetensors and JSON. Loading them runs no code."""

import json
import shutil
import uuid
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from lvm_core.errors import InputError
from lvm_core.models import LatentVectorModel, ModelConfig, build_model

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def model_files(weights: dict[str, torch.Tensor], model: ModelConfig, facts: dict) -> dict[str, bytes]:
    """Return the files of a saved model by name. The caller decides where they are stored."""
    return encode(weights, {"model": asdict(model), **facts})


def load_model(folder: Path) -> tuple[LatentVectorModel, dict]:
    """Return the model with its weights, and the content of config.json.

    Raises: InputError for a missing or damaged file, or weights that do not fit the config.
    """
    tensors, facts = read_folder(folder)
    try:
        model = build_model(ModelConfig(**facts["model"]), seed=0)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"the weights must fit their config, but those in {folder} do not: {error}. Save the model again."
        ) from error
    return model.eval(), facts


def encode(tensors: dict[str, torch.Tensor], facts: dict) -> dict[str, bytes]:
    """Return safetensors and JSON bytes by file name. The JSON comes last: where it exists, the rest does too."""
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    return {WEIGHTS: save(plain), CONFIG: json.dumps(facts, indent=1, default=str).encode() + b"\n"}


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write files to a folder beside `folder` and rename it into place. An older copy is replaced."""
    staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        staging.mkdir(parents=True)
        for name, data in files.items():
            (staging / name).write_bytes(data)
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def read_folder(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what `encode` made. Raises: InputError naming the file that is missing or damaged."""
    try:
        return load_file(folder / WEIGHTS), json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"a checkpoint must have readable {WEIGHTS} and {CONFIG}, but {folder} does not: {error}"
        ) from error
