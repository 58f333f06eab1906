"""Which candidates a study's queries have: by default, as reported, in older records, and in the rows of its trials."""

import pytest

from lvm_core.corpus import Corpus
from lvm_core.data_config import DataConfig
from lvm_core.errors import InputError
from lvm_core.split import NearCopies
from study.lifecycle import manifest as manifest_module
from study.lifecycle.manifest import describe_split, near_copies
from study.plan.plan import Plan, make_plan
from study.records.manifest import RecordedSplit
from study.space.file import load_space
from study.space.legacy import BEFORE
from study.trial.run import run_trial
from tests.studies import SMALL_SPACE, save_space

CELLS = {"context_length": [8], "num_sequences": [20]}


def planned(folder, corpus: Corpus, *settings: str) -> Plan:
    path = save_space(SMALL_SPACE | {"cells": CELLS}, folder / "s.yaml")
    return make_plan("s", load_space(path, None, list(settings), {}), corpus)


def excluded(plan: Plan) -> bool:
    return plan.dataset.config.exclude_context


def test_a_study_leaves_the_own_context_out_and_as_reported_leaves_it_in(small_corpus, tmp_path):
    assert excluded(planned(tmp_path, small_corpus))
    assert not excluded(planned(tmp_path, small_corpus, "protocol=as_reported", "fixed.num_negatives=null"))
    assert not excluded(planned(tmp_path, small_corpus, "data.exclude_context=false"))


def test_older_records_and_configs_without_the_key_mean_the_old_pool():
    assert BEFORE["data.exclude_context"] is False is DataConfig(seed=0, max_context=4).exclude_context


def test_the_two_pools_have_different_trials_and_the_old_pool_has_the_old_ones(small_corpus, tmp_path):
    new, old = (planned(tmp_path, small_corpus, f"data.exclude_context={value}") for value in ("true", "false"))
    ids = [plan.spec(plan.cells[0], "confirm", 1, {}).trial_id for plan in (new, old)]
    assert ids[0] != ids[1]
    assert new.dataset.queries["test"].pool_size == old.dataset.queries["test"].pool_size


def test_a_trial_records_both_pools_and_the_manifest_what_is_in_them(small_corpus, tmp_path):
    plan = planned(tmp_path, small_corpus)
    free = next(spec for job in plan.baseline_jobs() for spec in job if spec.recipe["model"] == "context_mean")
    for spec in (plan.spec(plan.cells[0], "confirm", 1, {}), free):
        row = list(run_trial(spec))[-1].row
        for part in ("val", "test"):
            assert 0 <= row[f"{part}_hit_at_5_context_in_pool"] <= 1
    assert row["test_hit_at_5_context_in_pool"] < row["test_hit_at_5"], "an average is nearest to what it is made of"
    recorded = RecordedSplit(**describe_split(plan.dataset, "controlled"))
    queries = plan.dataset.queries["test"]
    assert recorded.candidates.exclude_context and not recorded.candidates.one_per_document
    assert recorded.candidates.own_context == queries.num_own_context.mean() > 0
    assert recorded.candidates.own_document == queries.num_own_document.mean() >= 1
    assert recorded.candidates.document_hit_at_5 == queries.document_hit_at_5


def test_a_trial_of_the_old_pool_has_one_figure_and_null_for_the_other(small_corpus, tmp_path):
    plan = planned(tmp_path, small_corpus, "data.exclude_context=false")
    row = list(run_trial(plan.spec(plan.cells[0], "confirm", 1, {})))[-1].row
    assert row["test_hit_at_5"] is not None and row["test_hit_at_5_context_in_pool"] is None


def test_a_pool_smaller_than_asked_for_is_in_the_plan_s_warnings(small_corpus, tmp_path):
    length = len(planned(tmp_path, small_corpus).dataset.queries["test"].stream.rows)
    warnings = planned(tmp_path, small_corpus, f"data.pool_size={length}").warnings()
    smaller = [warning for warning in warnings if "can take the places of a query's own context" in warning]
    assert len(smaller) == 1 and f"{length - 8} (test) candidates, not {length}" in smaller[0]
    assert not any("can take" in warning for warning in planned(tmp_path, small_corpus).warnings())


def test_a_smaller_pool_of_validation_alone_is_a_warning_too(small_corpus, tmp_path):
    queries = planned(tmp_path, small_corpus, "data.fractions=[0.6, 0.15, 0.25]").dataset.queries
    shorter, longer = (len(queries[part].stream.rows) for part in ("validation", "test"))
    assert shorter < longer - 8
    warnings = planned(
        tmp_path, small_corpus, "data.fractions=[0.6, 0.15, 0.25]", f"data.pool_size={shorter}"
    ).warnings()
    assert any(f"pools of {shorter - 8} (validation) and {shorter} (test)" in warning for warning in warnings)


def test_one_candidate_a_document_is_refused_for_a_corpus_of_few_documents(small_corpus, tmp_path):
    with pytest.raises(InputError, match="at least 30 documents in each held-out part"):
        planned(tmp_path, small_corpus, "data.one_per_document=true")


def test_the_manifest_lists_the_near_copies_that_are_targets_of_test_queries(small_corpus, tmp_path, monkeypatch):
    plan = planned(tmp_path, small_corpus)
    targets = plan.dataset.queries["test"].target_rows.tolist()
    other = next(row for row in plan.dataset.queries["test"].stream.rows if row not in targets)
    found = NearCopies(
        threshold=0.98, num_validation=0, num_test=2, max_cosine=1.0, search="exact", test_rows=[targets[3], int(other)]
    )
    monkeypatch.setenv("LVM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(manifest_module, "find_near_copies", lambda *_: found)
    assert near_copies(plan)["test_rows"] == [targets[3]]
    monkeypatch.setattr(manifest_module, "find_near_copies", lambda *_: pytest.fail("the search is cached"))
    assert near_copies(plan)["test_rows"] == [targets[3]]
