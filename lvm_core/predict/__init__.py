"""Use exported models: predict the next vector, and search a corpus for the vectors nearest to it."""

from lvm_core.predict.ensemble import Ensemble
from lvm_core.predict.index import VectorIndex
from lvm_core.predict.predictor import Predictor
from lvm_core.predict.router import Router

__all__ = ["Ensemble", "Predictor", "Router", "VectorIndex"]
