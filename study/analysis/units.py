"""Say which groups of queries vary independently: documents, or stretches of them where documents are too few."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

# with fewer test documents their own spread cannot be estimated: the t quantile of two degrees of freedom is 4.3
FEW_DOCUMENTS = 4
STRETCH = 50  # neighbouring vectors of a document that count as one unit: neighbours are not independent
FEWEST_STRETCHES = 4  # with fewer the stretches are cut shorter, or nothing shows what varies


@dataclass(frozen=True, eq=False)
class Units:
    """The resampling units of Q queries.

    of_query: [Q] each query's unit, 0 .. count - 1. kind: what a unit is. num_documents: of the queries. stretch: its
    length in vectors. Only with documents as units does an interval speak of other documents.
    """

    of_query: np.ndarray
    kind: Literal["documents", "stretches"]
    num_documents: int
    stretch: int = STRETCH

    @classmethod
    def of(cls, chain_ids: np.ndarray, positions: np.ndarray) -> "Units":
        """Group queries by document, or by stretch. chain_ids, positions: [Q] each query's document and place."""
        documents, of_query = np.unique(chain_ids, return_inverse=True)
        if len(documents) >= FEW_DOCUMENTS:
            return cls(of_query, "documents", len(documents))
        for stretch in (STRETCH, max(1, min(STRETCH, len(positions) // FEWEST_STRETCHES))):
            _, found = np.unique(np.stack([of_query, positions // stretch]), axis=1, return_inverse=True)
            if found.max() + 1 >= FEWEST_STRETCHES:
                break
        return cls(found, "stretches", len(documents), stretch)

    @property
    def count(self) -> int:
        return int(self.of_query.max()) + 1

    @property
    def speak_of_documents(self) -> bool:
        return self.kind == "documents"

    @property
    def label(self) -> str:
        """What intervals resample, in words."""
        if self.speak_of_documents:
            return f"{self.num_documents:,} documents"
        plural = "s" if self.num_documents > 1 else ""
        return f"{self.count:,} stretches of {self.stretch} vectors ({self.num_documents} test document{plural})"
