"""Predict with exported models and find the vectors that are meant. No trainer needs this; it is no part of a trial."""

from lvm_core.predict.ensemble import Ensemble
from lvm_core.predict.index import VectorIndex
from lvm_core.predict.predictor import Predictor
from lvm_core.predict.router import Router

__all__ = ["Ensemble", "Predictor", "Router", "VectorIndex"]
