"""Variants and rows of a study: merged in order, planned on their own data, and compared from the ranks alone."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k_in_pool
from study import run
from study.analysis.confounds import gains_table
from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords, load_study
from study.analysis.phases import rows_table, steps_table
from study.plan.plan import make_plan
from study.records.columns import TABLES
from study.records.store import RecordStore
from study.report.answer import sentences
from study.report.figures.as_png import as_png
from study.report.findings import speaking
from study.report.terminal import print_summary
from study.space.file import load_space
from study.space.variants import settings_of
from tests.manifests import manifest

SPACE = {
    "question": "What is left of the law?",
    "cells": {
        "rows": {
            "short": {"context_length": 2, "num_sequences": 300, "num_queries": 60, "fixed": {"alpha": 0.05}},
            "long": {"context_length": 12, "num_sequences": 150, "num_queries": 32, "fixed": {"micro_batch_size": 4}},
        }
    },
    "fixed": {
        "hidden_dim": 8, "batch_size": 16, "num_negatives": 12, "max_steps": 12, "warmup_steps": 2, "eval_interval": 3,
        "device": "cpu", "precision": "float32",
    },
    "data": {"num_queries": 100},
    "variants": {
        "as_reported": {"protocol": "as_reported", "fixed": {"epochs": 6, "batch_size": 32}},
        "alpha": {"protocol": "as_reported", "fixed": {"epochs": 6, "batch_size": 32, "alpha": 0.03}},
        "controlled": {"fixed": {"alpha": 0.03, "micro_batch_size": None}},
    },
    "compare": {"by": "steps", "reference": "as_reported"},
    "replicates": 2,
}  # fmt: skip


def load(tmp_path: Path, settings=(), **changes):
    path = tmp_path / "variants.yaml"
    path.write_text(yaml.safe_dump({**SPACE, **changes}, sort_keys=False))
    return load_space(str(path), None, list(settings), {})


def test_protocol_row_and_variant_are_merged_over_the_file_in_this_order(tmp_path):
    found = {(s.variant, s.row): s.space for s in settings_of(load(tmp_path))}
    assert list(found) == [(v, r) for v in SPACE["variants"] for r in ("short", "long")]
    assert found["as_reported", "short"].fixed["alpha"] == 0.05
    assert found["alpha", "short"].fixed["alpha"] == 0.03
    assert "micro_batch_size" not in found["controlled", "long"].fixed
    assert found["as_reported", "long"].fixed["negatives_from"] == "micro_batch"
    assert found["as_reported", "long"].data.num_queries == 32
    assert found["controlled", "long"].data.num_queries == 100


def test_controlled_rows_share_queries_and_published_ones_have_their_own(tmp_path, small_corpus):
    plan = make_plan("v", load(tmp_path), small_corpus)
    by_variant = {}
    for cell in plan.cells:
        by_variant.setdefault(cell.variant, []).append(plan.dataset_of(cell))
    assert by_variant["controlled"][0] is by_variant["controlled"][1]
    assert [len(data.queries["test"].positions) for data in by_variant["as_reported"]] == [60, 32]
    assert by_variant["controlled"][0].config.max_context == 12


def test_a_variant_that_changes_nothing_in_a_row_shares_its_trials(tmp_path, small_corpus):
    plan = make_plan("v", load(tmp_path), small_corpus)
    assert "C12_N150_long_alpha" not in {cell.cell_id for cell in plan.cells}
    shared = {cell.cell_id: kept.cell_id for cell, kept in plan.cell_of.items() if cell != kept}
    assert shared == {"C12_N150_long_alpha": "C12_N150_long_as_reported"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": {"a": {"replicates": 3}}}, r"variants\.a may change protocol, .* but changes replicates"),
        ({"variants": {"a": {"fixed": {"alpa": 3}}}}, r"variants\.a: .*fixed\.alpa \(did you mean alpha\?\)"),
        ({"variants": {"a": {"protocol": "fair"}}}, r"variants\.a\.protocol must be one of controlled, as_reported"),
        ({"compare": {"by": "steps", "reference": "as_reporte"}}, r"compare\.reference must be a variant \(did"),
        ({"cells": {"rows": {"a": {"context_length": 3}}}}, "num_sequences"),
        ({"cells": {**SPACE["cells"], "num_sequences": [3]}}, "cells must have either `rows`, or both"),
    ],
)  # fmt: skip
def test_an_invalid_variant_is_refused_by_name(tmp_path, changes, message):
    changes = {"compare": None, **changes} if "variants" in changes else changes
    with pytest.raises(InputError, match=message):
        load(tmp_path, **changes)


def test_a_gate_that_leaves_too_little_data_makes_its_variant_infeasible_and_is_the_reason(tmp_path, small_corpus):
    cells = {"context_length": [4], "num_sequences": [200]}
    variants = {"all": {}, "gate": {"data": {"min_coherence": 0.99}}}
    plan = make_plan("v", load(tmp_path, cells=cells, variants=variants, compare=None), small_corpus)
    assert [cell.variant for cell in plan.cells] == ["all"]
    assert [cell.variant for cell in plan.infeasible] == ["gate"]
    assert "the coherence gate at 0.99 removed" in plan.infeasible[0].reason


def test_training_windows_may_cross_documents_while_queries_stay_the_same(tmp_path, small_corpus):
    cells = {"context_length": [4], "num_sequences": [200]}
    variants = {"all": {}, "ungated": {"data": {"train_boundary": "stream"}}}
    plan = make_plan("v", load(tmp_path, cells=cells, variants=variants, compare=None), small_corpus)
    gated, ungated = (plan.dataset_of(cell) for cell in plan.cells)
    assert gated.queries["test"].target_rows.tolist() == ungated.queries["test"].target_rows.tolist()
    assert len(ungated.train_positions) > len(gated.train_positions)
    assert ungated.audit().num_leaked_vectors == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_file) -> tuple[Path, str]:
    """A whole study of three variants and two rows on real Ray, and its output."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("variants")
    (folder / "v.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    line = [sys.executable, "-m", "study.run", str(folder / "v.yaml"), "--corpus", small_file, "--out", str(folder)]
    done = subprocess.run([*line, "--study", "v", "--workers", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "v", done.stdout


def test_the_leaks_of_the_published_split_are_reported_and_do_not_stop_the_study(finished):
    assert "leak, as published (C=2):" in finished[1]
    assert "change in Hit@5 from row to row" in finished[1]
    trials = pd.read_parquet(finished[0] / "trials")
    confirm = trials[trials.stage == "confirm"]
    assert confirm.groupby("protocol").cell_id.nunique().to_dict() == {"as_reported": 3, "controlled": 2}
    report = (finished[0] / "report" / "report.md").read_text()
    assert "## Change in Hit@5 from row to row" in report


def test_published_trials_record_their_validation_ranks_as_test_and_the_manifest_marks_it(finished):
    study = load_study(str(finished[0]))
    splits = RecordStore.at(finished[0]).read_json("manifest.json")["splits"]
    kinds = {split["protocol"]: split["test"] for split in splits}
    assert kinds == {"as_reported": "validation", "controlled": "own"}
    published = study.trials[(study.trials.protocol == "as_reported") & (study.trials.stage == "confirm")]
    assert (published.val_hit_at_5 == published.test_hit_at_5).all()
    ranks = study.ranks[study.ranks.trial_id == published.trial_id.iloc[0]]
    sides = [ranks[ranks["split"] == side].sort_values("query_id")["rank"].tolist() for side in ("validation", "test")]
    assert sides[0] == sides[1]


def test_a_study_of_variants_has_a_page_with_their_comparison_and_no_map(finished):
    folder, _ = finished
    report = folder / "report"
    html = (report / "index.html").read_text()
    assert "What the variants are worth" in html and 'id="plot-rows"' in html
    assert "There is no single map to draw" in html and 'id="plot-map"' not in html
    assert (report / "figures/variants.png").exists()


@pytest.mark.parametrize(
    ("by", "table", "value"),
    [("gain", gains_table, "gain"), ("difference", differences_table, "hit_at_5"), ("steps", rows_table, "hit_at_5")],
)
def test_each_comparison_answers_alone_with_the_numbers_of_its_table(finished, by, table, value):
    study = load_study(str(finished[0]))
    compare = study.manifest.space.compare.model_copy(update={"by": by})
    space = study.manifest.space.model_copy(update={"compare": compare})
    study = replace(study, manifest=study.manifest.model_copy(update={"space": space}))
    evidence = Evidence(study)
    shown = {finding.key: finding.figures(evidence, "") for finding in speaking(evidence)}
    ((figure,),) = [figures for figures in shown.values() if figures]
    drawn = [number for mark in figure.marks for number in mark.y if not isinstance(number, str)]
    drawn += [number for mark in figure.marks for number in mark.x if not isinstance(number, str)]
    assert set(table(study)[value]) <= set(drawn)
    assert len(sentences(evidence)) == 3 and "Too little" not in "".join(sentences(evidence))
    assert as_png([figure]).startswith(b"\x89PNG")
    console = Console(file=(screen := io.StringIO()), width=200)
    print_summary(evidence, console)
    assert "C \\ N" not in screen.getvalue() and "Which configuration" not in screen.getvalue()


def test_every_row_is_measured_under_both_protocols_with_a_baseline(finished):
    table = rows_table(load_study(str(finished[0])))
    assert set(zip(table.variant, table.row, strict=True)) == {
        (v, r) for v in SPACE["variants"] for r in ("short", "long")
    }
    assert set(table.equal_pool) == {32}
    assert table.baseline.isin(["last_vector", "context_mean", "context_ema"]).all()
    own = table[table.pool_size == 32]
    assert (own.hit_at_5 == own.equal_hit_at_5).all()


class Made:
    """Builds variants of two rows with planted ranks."""

    def __init__(self, by: str):
        self.trials, self.ranks, self.variants, self.by = [], [], [], by

    def cell(self, variant: str, row: str, context: int, pool: int, ranks: list[np.ndarray], first_query: int = 0):
        cell_id = f"C{context}_N9_{row}_{variant}"
        entry = {"variant": variant, "row": row, "cell_id": cell_id, "protocol": variant, "split_fingerprint": "f"}
        self.variants.append(entry | {"context_length": context, "num_sequences": 9})
        for replicate, rank in enumerate(ranks, 1):
            trial_id = f"{cell_id}_{replicate}"
            self.trials.append(
                {"trial_id": trial_id, "stage": "confirm", "status": "completed", "cell_id": cell_id, "model": "gru",
                 "context_length": context, "num_sequences": 9, "replicate": replicate, "pool_size": pool,
                 "num_steps": 10, "split_fingerprint": variant, "protocol": variant, "test_cosine": 0.5}
            )  # fmt: skip
            self.ranks += [(trial_id, "test", first_query + q, q // 4, r, 0) for q, r in enumerate(rank)]

    def study(self) -> StudyRecords:
        splits = [{"fingerprint": name, "removed": {"incoherent_training_windows": 7}} for name in ("a", "b")]
        space = {"compare": {"by": self.by, "reference": "a"}}
        made = manifest(variants=self.variants, splits=splits, space=space)
        trials = pd.DataFrame(self.trials).reindex(columns=TABLES["trials"].names)
        ranks = pd.DataFrame(self.ranks, columns=TABLES["ranks"].names)
        return StudyRecords("made", made, trials, pd.DataFrame(columns=TABLES["curves"].names), ranks)


def uniform(pool: int, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, pool + 1, count)


@pytest.fixture
def chance_only() -> StudyRecords:
    """An apparent law from chance alone: random ranks in a pool that shrinks from 400 to 20, then in equal pools."""
    made = Made("steps")
    made.cell("a", "short", 2, 400, [uniform(400, 400, 1), uniform(400, 400, 2)])
    made.cell("a", "long", 8, 20, [uniform(20, 400, 3), uniform(20, 400, 4)], first_query=1000)
    made.cell("b", "short", 2, 200, [uniform(200, 400, 5), uniform(200, 400, 6)], first_query=5000)
    made.cell("b", "long", 8, 200, [uniform(200, 400, 7), uniform(200, 400, 8)], first_query=5000)
    return made.study()


def test_a_step_caused_by_the_pool_alone_vanishes_at_equal_pool(chance_only):
    table = steps_table(chance_only).set_index(["variant", "pool"])
    assert table.change["a", "own"] == pytest.approx(5 / 20 - 5 / 400, abs=0.04)
    assert table.low["a", "own"] > 0.15
    for variant in ("a", "b"):
        assert table.low[variant, "20"] < 0 < table.high[variant, "20"]
        assert abs(table.remains[variant, "20"]) < 0.3


def test_the_equal_pool_figure_follows_the_hypergeometric_formula(chance_only):
    line = rows_table(chance_only).set_index(["variant", "row"]).loc[("a", "short")]
    ranks = np.concatenate([uniform(400, 400, 1), uniform(400, 400, 2)])
    expected = hit_at_k_in_pool(ranks, np.zeros_like(ranks), 5, 400, 20).mean()
    assert line.equal_hit_at_5 == pytest.approx(expected)


def test_each_bar_is_the_gain_after_one_change_with_the_excess_of_the_published_protocol(chance_only):
    table = gains_table(chance_only).set_index("change")
    assert list(table.index) == ["a, one replicate", "replicates", "pool (equal, 20)", "b"]
    assert table.gain["replicates"] > 0.15
    assert table.adds_low["pool (equal, 20)"] > 0.1
    assert table.gain["b"] == pytest.approx(0, abs=0.06)
    assert (table.low <= table.gain).all() and (table.gain <= table.high).all()


def test_differences_are_paired_on_the_same_queries():
    rank = uniform(100, 400, 1)
    made = Made("difference")
    made.cell("a", "x", 4, 100, [rank])
    made.cell("b", "x", 4, 100, [np.where(np.arange(400) % 10 == 0, 1, rank)])
    table = differences_table(made.study()).set_index("variant")
    assert pd.isna(table.difference["a"])
    assert 0.08 < table.difference["b"] < 0.1 + 1e-9
    assert table.difference_high["b"] - table.difference_low["b"] < 0.06, "unpaired, it would be 0.06 wide or more"
    assert table.num_removed["b"] == 7


def test_dry_run_counts_the_trials_of_every_variant(tmp_path, small_file, capsys):
    path = tmp_path / "v.yaml"
    path.write_text(yaml.safe_dump(SPACE, sort_keys=False))
    assert run.main([str(path), "--corpus", small_file, "--dry-run", "--out", str(tmp_path / "o")]) == 0
    assert "10 confirm trials of the tuned map, and" in capsys.readouterr().out
