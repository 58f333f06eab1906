"""The models by name. A file in this package adds one: `@register("name")` above its class."""

from collections.abc import Callable
from typing import TypeVar

from torch import nn

Core = TypeVar("Core", bound=type[nn.Module])

MODELS: dict[str, type[nn.Module]] = {}


def register(name: str) -> Callable[[Core], Core]:
    """Register a model under a name in lower case. LatentVectorModel says what a model must have."""

    def add(model: Core) -> Core:
        assert name not in MODELS, f"two models are named {name}"
        MODELS[name] = model
        return model

    return add
