"""The models, behind one interface: a context of vectors in, the change against the anchor out."""

import importlib
import pkgutil

from lvm_core.models.build import LatentVectorModel, build_model
from lvm_core.models.config import ModelConfig
from lvm_core.models.registry import MODELS

for _file in pkgutil.iter_modules(__path__):  # a model's file registers it, so every file is imported
    importlib.import_module(f"{__name__}.{_file.name}")

__all__ = ["MODELS", "LatentVectorModel", "ModelConfig", "build_model"]
