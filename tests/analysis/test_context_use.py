"""What a model loses without its older vectors, and what that says about the context that it uses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from study.analysis.context_use import context_use_table, effective_contexts, use_verdict
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.records.columns import TABLES
from study.report.findings.context_use import ABSENT, blocks, figures, verdicts
from tests.manifests import manifest

C, QUERIES = 16, 25  # of each document
NOISE = 0.006
USES_FOUR = {1: 0.30, 2: 0.45, 4: 0.598, 8: 0.60, 16: 0.60}
USES_ONE = dict.fromkeys(USES_FOUR, 0.60)


def study_of(curves: dict[int, dict[int, float]], documents: int = 60, seed: int = 0) -> StudyRecords:
    """Draw three replicates a cell. curves: by N, Hit@5 by vectors kept. Documents differ, in every row alike."""
    rng = np.random.default_rng(seed)
    of_document, trials, use = rng.normal(0, 0.08, documents), [], []
    of_document -= of_document.mean()
    for size, curve in curves.items():
        for replicate in (1, 2, 3):
            trial_id = f"{size}-{replicate}"
            trials.append(
                {"trial_id": trial_id, "stage": "confirm", "status": "completed", "cell_id": f"C{C}_N{size}",
                 "context_length": C, "num_sequences": size, "replicate": replicate, "model": "gru", "config": "{}",
                 "val_hit_at_5": 0.6, "chance_hit_at_5": 0.01}
            )  # fmt: skip
            use += [
                (trial_id, kept, document, QUERIES, rate + of_document[document] + rng.normal(0, NOISE))
                for kept, rate in curve.items()
                for document in range(documents)
            ]
    tables = {"trials": pd.DataFrame(trials).reindex(columns=TABLES["trials"].names)}
    tables |= {name: TABLES[name].empty_table().to_pandas() for name in ("curves", "ranks")}
    tables["context_use"] = pd.DataFrame(use, columns=TABLES["context_use"].names)
    return StudyRecords("made", manifest(cells=[f"C{C}_N{size}" for size in curves]), **tables)


def test_the_least_context_without_a_shown_loss_is_found_again():
    table = context_use_table(study_of({500: USES_FOUR}))
    assert table.num_kept.tolist() == [1, 2, 4, 8, 16]
    assert table.hit_at_5.tolist() == pytest.approx(list(USES_FOUR.values()), abs=0.002)
    assert (table.num_replicates[0], table.num_queries[0], table.num_chains[0]) == (3, 60 * QUERIES, 60)
    assert (table.loss_low <= table.loss).all() and (table.loss <= table.loss_high).all()
    assert table.loss_high.max() - 0.3 < 0.01 < table.high[0] - table.hit_at_5[0], "documents pair the losses"
    (found,) = effective_contexts(table)
    assert (found.least, found.most) == (4, 4)
    assert found.all_but_one[0] == pytest.approx(0.3, abs=0.003)
    verdict = use_verdict(table)
    assert verdict.answer == "at most 4 of 16 vectors"
    assert "at N=500 4 are enough: replacing the oldest 15 costs 29." in verdict.evidence
    assert "the oldest 12 costs 0." in verdict.evidence


def test_a_flat_curve_makes_the_context_axis_nominal_there():
    verdict = use_verdict(context_use_table(study_of({500: USES_ONE, 2000: USES_FOUR})))
    assert verdict.answer == "at most 4 of 16 vectors; the C axis is nominal at N=500"
    verdict = use_verdict(context_use_table(study_of({500: USES_ONE})))
    assert verdict.answer == "at most 1 of 16 vectors; the C axis is nominal at N=500"


def test_a_model_that_needs_every_vector_is_said_to_use_at_least_so_many():
    uses_all = dict(zip(USES_FOUR, (0.1, 0.2, 0.3, 0.4, 0.6), strict=True))
    table = context_use_table(study_of({500: uses_all}))
    assert use_verdict(table).answer == "at least 16 of 16 vectors"
    later = dict(zip(USES_FOUR, (0.60, 0.60, 0.60, 0.40, 0.60), strict=True))
    (found,) = effective_contexts(context_use_table(study_of({500: later})))
    assert (found.least, found.most) == (1, 16) and not found.is_nominal, "a loss with more vectors kept counts"


def test_a_loss_of_a_point_is_rarely_excluded_and_rarely_shown():
    """At a true loss of exactly one point both errors stay at 2.5 % a cell, and 5 % for all cells at once."""
    at_the_margin = dict(zip(USES_FOUR, (0.59, 0.60, 0.60, 0.60, 0.60), strict=True))
    curves = {500: at_the_margin, 1000: at_the_margin, 2000: at_the_margin}
    found = [effective_contexts(context_use_table(study_of(curves, documents=20, seed=s))) for s in range(60)]
    cells = [cell for study in found for cell in study]
    assert sum(cell.most == 1 for cell in cells) <= 12 and sum(cell.least > 1 for cell in cells) <= 12
    assert sum(any(cell.is_nominal for cell in study) for study in found) <= 8
    assert np.mean([cell.most <= 2 for cell in cells]) > 0.8, "and where there is no loss, it is excluded"


def test_few_documents_tell_nothing():
    table = context_use_table(study_of({500: USES_FOUR}, documents=3))
    assert table.loss.notna().all() and table.loss_low.isna().all()
    verdict = use_verdict(table)
    assert (verdict.answer, verdict.evidence) == ("cannot tell", "3 test documents are too few for an interval")


def test_the_finding_has_a_curve_for_each_n_and_says_where_nothing_was_measured(made_evidence):
    study = study_of({500: USES_ONE, 2000: USES_FOUR})
    evidence = Evidence(study)
    evidence.__dict__["context_use"] = {"": context_use_table(study)}  # the made study has no ranks to map
    hit_map = made_evidence.answers[""].hit_map
    few = replace(hit_map, units=replace(hit_map.units, num_documents=5))
    evidence.__dict__["answers"] = {"": replace(made_evidence.answers[""], hit_map=few)}
    assert "rest on only 5 documents" in verdicts(evidence, "")[0].evidence, "what limits every verdict limits this one"
    (figure,) = figures(evidence, "")
    assert [mark.name for mark in figure.marks] == ["N=500", "N=2,000"]
    assert all(list(mark.x) == [1, 2, 4, 8, 16] for mark in figure.marks)
    assert len(blocks(evidence, "")[1].rows) == 2 and len(verdicts(evidence, "")) == 1
    assert blocks(made_evidence, "") == [ABSENT] and verdicts(made_evidence, "") == figures(made_evidence, "") == []
