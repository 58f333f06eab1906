"""Load an exported model and predict the next vector of contexts."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lvm_core.checkpoint import load_model
from lvm_core.corpus import Corpus
from lvm_core.devices import resolve_device
from lvm_core.errors import InputError
from lvm_core.models import LatentVectorModel
from lvm_core.predict.check import check_model
from lvm_core.predict.contexts import Contexts, as_list, batches
from lvm_core.predict.index import VectorIndex
from lvm_core.seeds import child_generator

TUNING_QUERIES = 200


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained model, the content of its config.json, and the vectors that it searches, if any.

    Of a context longer than the model was trained on, the last `context_length` vectors are used, as when it was
    measured. A shorter context is used as it is; the quality of such predictions was not measured.
    """

    model: LatentVectorModel
    facts: dict
    device: str = "cpu"
    index: VectorIndex | None = None

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> "Predictor":
        """Load safetensors and JSON, which run no code. Raises: InputError naming what is missing or damaged."""
        check_model(Path(folder))
        model, facts = load_model(Path(folder))
        device = resolve_device(device)
        return cls(model.to(device), facts, device)

    @property
    def context_length(self) -> int:
        """The number of vectors in the contexts that the model was trained on."""
        return self.facts["training"]["context_length"]

    @property
    def dim(self) -> int:
        return self.facts["model"]["dim"]

    def over(self, corpus: Corpus) -> "Predictor":
        """Return this predictor with an index of a corpus's vectors, tuned on its own predictions there.

        Raises: InputError for a corpus of another dimension.
        """
        if corpus.dim != self.dim:
            raise InputError(
                f"the corpus must have the model's dimension, but {corpus.name} has D={corpus.dim} and the model "
                f"D={self.dim}. Use vectors of the encoder that the model was trained on."
            )
        return replace(self, index=VectorIndex.build(corpus.vectors, self._sample_predictions(corpus)))

    @torch.inference_mode()
    def predict(self, context: Contexts) -> np.ndarray:
        """Return unit predictions, [B, D] float32, in the order of the contexts.

        context: one [C, D], a batch [B, C, D], or a sequence of [C, D] of any lengths. Vectors may have any length.
        """
        contexts = as_list(context, self.dim)
        predictions = np.empty((len(contexts), self.dim), np.float32)
        for numbers, block in batches(contexts, self.context_length):
            predictions[numbers] = self.model(torch.from_numpy(block).to(self.device)).float().cpu().numpy()
        return predictions

    def search(self, context: Contexts, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Return (cosines, corpus rows) of the vectors nearest to the predictions, each [B, k], nearest first.

        Raises: InputError where there is nothing to search.
        """
        if self.index is None:
            raise InputError("a predictor must have an index to search, but it has none. Call `over(corpus)` first.")
        return self.index.search(self.predict(context), k)

    def _sample_predictions(self, corpus: Corpus) -> np.ndarray | None:
        rows = np.arange(corpus.num_vectors)
        eligible = rows[rows - corpus.chain_starts[corpus.chain_index] >= self.context_length]
        if not len(eligible):
            return None
        rows = child_generator(0, "index queries").permutation(eligible)[:TUNING_QUERIES]
        return self.predict(np.take(corpus.vectors, rows[:, None] + np.arange(-self.context_length, 0), axis=0))
