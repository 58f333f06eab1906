"""Count the windows that the training part gives at each context length, document by document."""

from dataclasses import dataclass, replace

import numpy as np

from study.analysis.load import StudyRecords


def windows_of(num_vectors: float, context_length: np.ndarray, overlap: float) -> np.ndarray:
    """Return the number of windows of a stretch of vectors at each C; neighbours share `overlap` of their context.

    The starts of windows lie C * (1 - overlap) vectors apart, at least one. [K] -> [K] float64.
    """
    step = np.maximum(1.0, np.asarray(context_length) * (1 - overlap))
    return np.maximum(0.0, np.floor((num_vectors - context_length - 1) / step) + 1)


@dataclass(frozen=True, eq=False)
class TrainingPart:
    """The stretches of text that training windows are cut from: documents, or one stretch where windows cross them.

    lengths, counts: [L] how many stretches have each length, in vectors. by_document: whether document ends are known;
    otherwise all vectors count as one stretch, which gives too many windows.
    """

    lengths: np.ndarray
    counts: np.ndarray
    by_document: bool

    @classmethod
    def of_vectors(cls, num_vectors: int) -> "TrainingPart":
        """Return the training part of a study whose manifest lacks the lengths of its documents."""
        return cls(np.array([num_vectors]), np.array([1]), by_document=False)

    @classmethod
    def of_study(cls, study: StudyRecords) -> "TrainingPart | None":
        """Return a study's training part; None if its manifest lacks even the number of vectors."""
        if recorded := study.manifest.split.train_lengths:
            return cls(np.array([*map(int, recorded)]), np.array([*recorded.values()]), by_document=True)
        return cls.of_vectors(study.num_training_vectors) if study.num_training_vectors else None

    @property
    def num_vectors(self) -> int:
        return int(self.lengths @ self.counts)

    def num_windows(self, context_length: np.ndarray, overlap: float) -> np.ndarray:
        """Return the number of windows at each C. [K] -> [K] float64."""
        by_length = windows_of(self.lengths[:, None], np.asarray(context_length)[None], overlap)  # [L, K]
        return self.counts @ by_length

    def grown(self, factor: int) -> "TrainingPart":
        """Return the part with `factor` times the documents, or a stretch `factor` times as long."""
        if self.by_document:
            return replace(self, counts=self.counts * factor)
        return replace(self, lengths=self.lengths * factor)
