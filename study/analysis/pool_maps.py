"""Collect what changes with the pool on one arm's map: a view and a law per stop, and the published readings."""

from dataclasses import dataclass

from study.analysis.law import Law
from study.analysis.law_views import LawView, law_view, law_view_at
from study.analysis.load import StudyRecords
from study.analysis.pool_views import (
    PoolReader,
    PoolView,
    PublishedView,
    first_shown,
    pool_stops,
    pool_view,
    published_views,
)


@dataclass(frozen=True, eq=False)
class PoolMaps:
    """One arm's map at every stop of the slider, smallest pool first.

    laws: one per view; empty if no law is fitted. published: one per share of the corpus, the whole corpus first; empty
    if the manifest lacks the size of the corpus. first_share: the index of the one to show first.
    """

    views: list[PoolView]
    laws: list[LawView]
    published: list[PublishedView]
    first_share: int

    @property
    def own(self) -> PoolView:
        """The view at the study's own pool."""
        return self.views[-1]

    @property
    def contexts(self) -> list[int]:
        return sorted({int(c) for c in self.own.cells.context_length})

    @property
    def sizes(self) -> list[int]:
        return sorted({int(n) for n in self.own.cells.num_sequences})


def pool_maps(study: StudyRecords, arm: str, law: Law | None) -> PoolMaps | None:
    """Read one arm's map at every pool; None if it has no completed confirm trial."""
    if not study.by_cell(arm):
        return None
    reader = PoolReader(study, arm)
    views = [pool_view(reader, pool) for pool in pool_stops(reader.pool_size)]
    laws = [] if law is None else [*(law_view_at(law, view.hit_map) for view in views[:-1]), law_view(law)]
    corpus = study.manifest.corpus
    published = published_views(reader, corpus.num_vectors) if corpus else []
    return PoolMaps(views, laws, published, first_shown(published) if published else 0)
