"""Send each context to the model with the longest context length that the context fills."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lvm_core.corpus import Corpus
from lvm_core.errors import InputError
from lvm_core.predict.contexts import Contexts, as_list
from lvm_core.predict.predictor import Predictor


def check_same_space(predictors: Sequence[Predictor]) -> None:
    """Refuse predictors of different corpora, whose vectors mean different things. Raises: InputError."""
    if not predictors:
        raise InputError("at least one model must be given, but got none. Name an exported model.")
    corpora = {predictor.facts.get("corpus_fingerprint") for predictor in predictors}
    if len(corpora) > 1 or len({predictor.dim for predictor in predictors}) > 1:
        found = ", ".join(f"{p.facts.get('corpus')} ({p.facts.get('corpus_fingerprint')})" for p in predictors)
        raise InputError(
            f"models that are used together must be of one corpus, but got {found}. Export them from one study."
        )


def over_one_index(predictors: Sequence[Predictor], corpus: Corpus) -> tuple[Predictor, ...]:
    """Return the predictors with one common index of a corpus, which is built and held once."""
    first = predictors[0].over(corpus)
    return (first, *(replace(predictor, index=first.index) for predictor in predictors[1:]))


@dataclass(frozen=True, eq=False)
class Router:
    """Several models of one study. A context too short for every model goes to the one with the shortest contexts.

    Source: the team's hybrid of a 100-vector and a 500-vector model.
    """

    predictors: tuple[Predictor, ...]

    def __post_init__(self):
        check_same_space(self.predictors)
        object.__setattr__(self, "predictors", tuple(sorted(self.predictors, key=lambda p: p.context_length)))

    @classmethod
    def load(cls, folders: Sequence[str | Path], device: str = "cpu") -> "Router":
        """Load exported models."""
        return cls(tuple(Predictor.load(folder, device) for folder in folders))

    def over(self, corpus: Corpus) -> "Router":
        """Return this router with one index of a corpus's vectors."""
        return Router(over_one_index(self.predictors, corpus))

    @property
    def dim(self) -> int:
        return self.predictors[0].dim

    def choose(self, length: int) -> Predictor:
        """Return the model for a context of `length` vectors."""
        filled = [predictor for predictor in self.predictors if predictor.context_length <= length]
        return filled[-1] if filled else self.predictors[0]

    def predict(self, context: Contexts) -> np.ndarray:
        """Return unit predictions, [B, D] float32, each by the model chosen for its context."""
        return self._routed(context, lambda predictor, group: (predictor.predict(group),))[0]

    def search(self, context: Contexts, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Return (cosines, corpus rows), each [B, k], nearest first."""
        return self._routed(context, lambda predictor, group: predictor.search(group, k))

    def _routed(self, context: Contexts, answer: Callable) -> tuple[np.ndarray, ...]:
        """Answer all contexts of each model at once, and return the answers in the order of the contexts."""
        contexts = as_list(context, self.dim)
        chosen = [self.predictors.index(self.choose(len(one))) for one in contexts]
        numbers = [np.flatnonzero(np.array(chosen) == number) for number in sorted(set(chosen))]
        groups = [answer(self.predictors[chosen[own[0]]], [contexts[i] for i in own]) for own in numbers]
        order = np.argsort(np.concatenate(numbers))
        return tuple(np.concatenate(arrays)[order] for arrays in zip(*groups, strict=True))
