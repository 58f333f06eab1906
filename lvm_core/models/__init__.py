"""The models, behind one interface: a context of vectors in, the change against the anchor out."""

from lvm_core.models.build import MODELS, LatentVectorModel, ModelConfig, build_model

__all__ = ["MODELS", "LatentVectorModel", "ModelConfig", "build_model"]
