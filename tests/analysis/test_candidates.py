"""What the candidates of a query do to Hit@5: own context, own document, near-copies."""

import numpy as np
import pytest

from study.analysis.candidates import context_in_pool
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.analysis.near_copies import without_near_copies
from study.report.files import tables
from study.report.findings.candidates import FINDING
from tests.manifests import changed
from tests.planted import LAWS, planted_study

CANDIDATES = {
    "exclude_context": True, "one_per_document": False, "own_context": 2.87, "own_document": 12.91,
    "document_hit_at_5": 0.589,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> StudyRecords:
    return planted_study(LAWS["odds"], seed=0, num_search=1, chains=8, queries=4)


def facts(study: StudyRecords) -> dict[str, str]:
    return dict(FINDING.blocks(Evidence(study), "")[0].pairs)


def with_copies(study: StudyRecords, rows: list[int] | None) -> StudyRecords:
    return changed(study, split={"candidates": CANDIDATES, "pool_size": 1000, "near_copies": {"test_rows": rows}})


def test_hit_at_5_with_and_without_near_copies_is_counted_from_the_ranks(plain):
    study = with_copies(plain, [0, 3, 999])
    table = without_near_copies(study).set_index("cell_id")
    assert (table.num_queries == 32).all() and (table.num_near_copies == 2).all()
    trials = study.measured("confirm").query("cell_id == 'C4_N500'").trial_id
    hits = np.stack([(study.test_ranks[trial_id]["rank"] <= 5).to_numpy() for trial_id in trials])
    row = table.loc["C4_N500"]
    assert row.hit_at_5 == pytest.approx(hits.mean())
    assert row.hit_at_5_near_copies == pytest.approx(hits[:, [0, 3]].mean())
    assert row.hit_at_5_without == pytest.approx(np.delete(hits, [0, 3], axis=1).mean())


def test_without_near_copies_both_figures_are_the_same_and_those_of_none_are_null(plain):
    table = without_near_copies(with_copies(plain, []))
    assert (table.hit_at_5 == table.hit_at_5_without).all() and table.hit_at_5_near_copies.isna().all()
    assert "0 of 32 test targets" in facts(with_copies(plain, []))["near-copies"]


@pytest.mark.parametrize("recorded", [{}, {"near_copies": {"search": "none"}}, {"near_copies": {"test_rows": None}}])
def test_near_copies_that_are_not_listed_give_no_figure(plain, recorded):
    study = changed(plain, split={"candidates": CANDIDATES} | recorded)
    assert without_near_copies(study).empty
    assert "near-copies" not in facts(study) and "near_copies" not in tables(Evidence(study))


def test_both_pools_stand_side_by_side_for_every_cell_and_baseline(plain):
    trials = plain.trials.copy()
    trials["test_hit_at_5_context_in_pool"] = trials.test_hit_at_5 - 0.1
    study = changed(StudyRecords("made", plain.manifest, trials, plain.curves, plain.ranks))
    table = context_in_pool(study)
    assert set(table.model) == {"gru", "last_vector"}
    assert table.change.tolist() == pytest.approx([0.1] * len(table))
    assert context_in_pool(plain).empty, "older records measured one pool only"
    best = Evidence(study).best["overall"]
    said = facts(with_copies(study, [1]))["own context"]
    assert said.startswith("without a query's own last C_max vectors; the pool has 2.9 of them")
    assert f"{best['cell_id']} would have test Hit@5 " in said


def test_the_report_gives_the_reader_of_the_right_document_as_a_reference(plain):
    said = facts(with_copies(plain, [1]))
    assert said["own document"].startswith("12.9 of the 1,000 candidates are of the query's own document")
    assert "orders its candidates at random has test Hit@5 0.589" in said["own document"]


def test_a_study_that_does_not_record_its_candidates_says_so(plain):
    assert FINDING.blocks(Evidence(plain), "") == []
    assert "older studies had a query's own context among its candidates" in FINDING.absent
