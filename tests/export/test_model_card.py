"""What a model card says of its figures: what intervals cover, and what the choice of a cell flatters."""

from dataclasses import replace

import numpy as np
import pandas as pd

from study.analysis.evidence import Evidence
from study.export.model_card import model_card
from tests.planted import planted_study

RECORDED = {
    "num_parameters": 7, "best_step": 50, "corpus": "made", "corpus_fingerprint": "f", "split_fingerprint": "g",
    "code_version": "1", "finished_at": pd.Timestamp("2026-01-01", tz="UTC"),
}  # fmt: skip
FACTS = {"model": {"model": "gru", "dim": 8}, "study": "made"}


def card_of(evidence: Evidence) -> str:
    study = replace(evidence.study, trials=evidence.study.trials.assign(**RECORDED))
    return model_card(Evidence(study), evidence.best["overall"], FACTS, [])


def test_a_card_of_one_test_document_claims_nothing_of_documents():
    shape = {"grid": ((1, 4), (125, 500)), "chains": 1, "queries": 400, "num_search": 1}
    card = card_of(Evidence(planted_study(np.full(4, 0.5), 0, **shape)))
    assert "stretches of 50 vectors (1 test document), so no interval covers differences between documents" in card
    assert "Intervals: 95 %, over stretches and replicates" in card


def test_a_card_gives_the_corrected_figure_of_a_cell_that_luck_chose():
    """Eight equal cells, whose replicates vary: each prefers another cell than the others."""
    shape = {"grid": ((1, 4), (125, 250, 500, 1000)), "chains": 16, "num_search": 1}
    noisy = dict.fromkeys((125, 250, 500, 1000), 4.0)
    evidence = Evidence(planted_study(np.full(8, 0.5), 0, noisy=noisy, **shape))
    best, own = evidence.best["overall"], evidence.cells.set_index("cell_id")
    assert best["hit_at_5"] != own.hit_at_5[best["cell_id"]]
    assert f"its test Hit@5 is {best['hit_at_5']:.3f} [" in card_of(evidence)
