"""Findings of a whole study from made-up records: thresholds, comparisons, importance, pools, verdicts, refusals."""

import numpy as np
import pandas as pd
import pytest

from lvm_core.errors import InputError
from lvm_core.ranks import hit_at_k_in_pool
from study.analysis.compare import comparisons
from study.analysis.evidence import Evidence
from study.analysis.importance import importance
from study.analysis.load import StudyRecords, load_studies
from study.analysis.patience import least_patience, patience_table
from study.analysis.pools import pool_curve
from study.analysis.searched import searched_lines
from study.analysis.thresholds import thresholds
from study.analysis.verdicts import CANNOT_TELL, answer
from study.records.store import RecordStore
from study.report.files import markdown, tables
from tests.manifests import changed, content
from tests.planted import CONTEXTS, LAWS, POOL, SIZES, Shape, planted_study


@pytest.fixture(scope="module")
def study() -> StudyRecords:
    """A study of the law `odds`, which crosses its baseline of 0.45 at a different N for every C."""
    return planted_study(LAWS["odds"], seed=0, baseline=0.45)


def with_trials(study: StudyRecords, trials: pd.DataFrame) -> StudyRecords:
    return StudyRecords(study.location, study.manifest, trials, study.curves, study.ranks)


def verdict_on(study: StudyRecords, words: str):
    return next(verdict for verdict in answer(study).verdicts if words in verdict.question)


def test_the_threshold_over_the_baseline_is_where_the_planted_law_crosses_it(study):
    table = thresholds(study)
    table = table[table.definition == "beats_baseline"].set_index("context_length")
    law = LAWS["odds"]
    fine = np.geomspace(SIZES[0], SIZES[-1], 2000)
    for context in CONTEXTS:
        rate = law.form.predict(law.theta, law.axes.at(np.full(2000, context), fine))
        truth = fine[int(np.argmax(rate > 0.45))]
        row = table.loc[context]
        assert row.low * 0.7 <= truth <= row.high * 1.4
        assert row.low <= row.threshold <= row.high
        assert row.shown_from in (*SIZES, np.inf)
        assert row.shown_from >= row.threshold * 0.9, "shown no earlier than it is reached"


def test_an_unreached_threshold_is_infinite_with_its_certainty():
    table = thresholds(planted_study(LAWS["odds"], seed=0, baseline=0.9))
    row = table[table.definition == "beats_baseline"].iloc[0]
    assert np.isinf(row.threshold)
    assert row.share_not_reached == 1.0


def test_a_higher_margin_or_level_never_lowers_the_threshold(study):
    for row in thresholds(study).query("definition == 'beats_baseline'").itertuples():
        found = {name: np.inf if size is None else size for name, size in row.sensitivity.items()}
        assert found["at 10%"] <= row.shown_from <= found["at 1%"]
        assert row.shown_from <= found["by 1 points"] <= found["by 2 points"]


def test_training_that_collapses_or_never_learns_is_not_stable(study):
    stable = thresholds(study).query("definition == 'stable'").set_index("context_length").threshold
    context = stable.index[np.isfinite(stable)][0]
    first_is_best = study.curves.copy()
    largest = study.trials.cell_id == f"C{context}_N8000"
    trial_id = study.trials[largest & (study.trials.stage == "confirm")].trial_id.iloc[0]
    first_is_best.loc[first_is_best.trial_id == trial_id, "val_hit_at_5"] = 0.4
    changed = StudyRecords(study.location, study.manifest, study.trials, first_is_best, study.ranks)
    assert np.isinf(thresholds(changed).query("definition == 'stable'").set_index("context_length").threshold[context])


def test_every_threshold_lies_in_its_interval(study):
    table = thresholds(study).dropna(subset=["threshold", "low"])
    assert set(table.definition) == {"beats_baseline", "stable"}
    assert (table.low <= table.threshold).all()
    assert (table.threshold <= table.high).all()


def test_replicates_that_vary_by_less_than_two_points_are_not_called_unstable():
    """At N=125 their true standard deviation is 1.9 points, so that it often lies above 2 in the sample."""
    shape = Shape(noisy={125: 1.68})
    tables = [thresholds(planted_study(LAWS["sum"], seed, shape=shape)) for seed in range(6)]
    rows = [table[table.definition == "stable"].iloc[0] for table in tables]
    assert sum(row.low > 125 for row in rows) <= 1
    assert all(row.high > 125 for row in rows), "nor are they shown to be stable there"


def test_replicates_that_vary_by_six_points_are_shown_to_be_unstable():
    table = thresholds(planted_study(LAWS["sum"], seed=0, shape=Shape(noisy={125: 5.5})))
    assert table[table.definition == "stable"].iloc[0].low > 125


def test_training_is_not_stable_at_an_n_at_which_a_replicate_collapsed():
    study = planted_study(LAWS["sum"], seed=0, shape=Shape(replicates=5, collapse=0.1))
    largest = study.collapsed.num_sequences.max()
    assert thresholds(study).query("definition == 'stable'").low.iloc[0] > largest


def test_every_family_of_comparisons_is_present_and_adjusted_together(study):
    table = comparisons(study)
    sizes = table.groupby("comparison").size()
    assert sizes.to_dict() == {"context": 3 * 7, "sequences": 4 * 6, "baseline": 4 * 7}
    for _, family in table.groupby("comparison"):
        assert (family.p_holm >= family.p_value).all()
        assert (family.differs == (family.p_holm < 0.05)).all()
    grown = table[(table.comparison == "sequences") & table.differs]
    assert (grown.difference > 0).all(), "the planted law only rises"


def test_arms_are_compared_pair_by_pair_on_the_same_queries(study):
    """Three sizes of one context, named as arms of one cell."""
    names = {500: "C4_N500_alpha0.03", 1000: "C4_N500_alpha0.05", 8000: "C4_N500_alpha0.1"}
    confirm = study.trials[(study.trials.stage == "confirm") & (study.trials.context_length == 4)]
    confirm = confirm[confirm.num_sequences.isin(names)]
    renamed = confirm.assign(cell_id=confirm.num_sequences.map(names), num_sequences=500)
    table = comparisons(with_trials(study, renamed)).query("comparison == 'arm'")
    pairs = list(zip(table["first"], table["second"], strict=True))
    cells = list(names.values())
    assert pairs == [(cells[0], cells[1]), (cells[0], cells[2]), (cells[1], cells[2])]
    assert table.differs.iloc[1], "500 and 8,000 sequences of the planted law are far apart"


def test_importance_finds_the_hyperparameter_that_matters(study):
    table = importance(study).set_index("parameter")
    assert table.importance.idxmax() == "learning_rate"
    assert table.importance.sum() == pytest.approx(1)
    assert (table.num_trials == 6 * 28).all()
    assert (table.num_pruned == 3 * 28).all()


def test_importance_compares_trials_at_their_last_common_evaluation(study):
    """Evaluations after the last common one do not change the importance."""
    later = study.curves.copy()
    search = study.trials[study.trials.stage == "search"].trial_id
    late = later.trial_id.isin(search) & (later.eval_index > 2)
    later.loc[late, "val_hit_at_5"] = np.random.default_rng(0).uniform(0.9, 1.0, late.sum())
    changed = StudyRecords(study.location, study.manifest, study.trials, later, study.ranks)
    before, after = importance(study).set_index("parameter"), importance(changed).set_index("parameter")
    assert after.importance.to_dict() == before.importance.to_dict()
    assert after.pruned_as_last_seen.to_dict() != before.pruned_as_last_seen.to_dict()


def test_importance_is_not_estimated_from_a_handful_of_trials(study):
    few = study.trials[(study.trials.stage != "search") | (study.trials.cell_id == "C1_N125")]
    assert importance(with_trials(study, few)).empty


def test_a_few_configurations_tried_in_many_cells_are_still_a_few(study):
    """All cells try one list, so 168 trials of six configurations are no more evidence than the six."""
    search = study.trials[study.trials.stage == "search"]
    number = search.groupby("cell_id").cumcount()
    configs = dict(enumerate(search.config.iloc[:6]))
    same = search.assign(config=number.map(configs))
    assert importance(with_trials(study, pd.concat([study.trials.drop(search.index), same]))).empty


def test_trials_of_a_second_round_are_neither_lines_nor_importance_nor_missing(study):
    search = study.trials[study.trials.stage == "search"]
    again = search.assign(trial_id=search.trial_id + "-again", replicate=-1, val_hit_at_5=0.9)
    curves = study.curves[study.curves.trial_id.isin(search.trial_id)]
    both = StudyRecords(
        study.location,
        study.manifest,
        pd.concat([study.trials, again]),
        pd.concat([study.curves, curves.assign(trial_id=curves.trial_id + "-again")]),
        study.ranks,
    )
    pd.testing.assert_frame_equal(importance(both), importance(study))
    assert len(searched_lines(both)[0]) == len(searched_lines(study)[0])
    assert both.missing_search == study.missing_search == {}
    few = with_trials(both, both.trials[(both.trials.cell_id != "C1_N125") | (both.trials.replicate != 0)])
    assert few.missing_search == {"C1_N125": 0}


def test_the_pool_curve_is_exact_at_every_pool_and_ends_at_the_measured_figure(study):
    table = pool_curve(study)
    cell = table[table.cell_id == "C4_N1000"].set_index("pool")
    ids = study.trials[(study.trials.cell_id == "C4_N1000") & (study.trials.stage == "confirm")].trial_id
    ranks = study.ranks[study.ranks.trial_id.isin(ids)]
    expected = hit_at_k_in_pool(ranks["rank"], ranks.num_ties, 5, POOL, 115).mean()
    assert cell.hit[115] == pytest.approx(expected)
    assert cell.hit[POOL] == pytest.approx((ranks["rank"] <= 5).mean())
    assert cell.hit.is_monotonic_decreasing
    assert ((cell.low <= cell.hit) & (cell.hit <= cell.high)).all()
    assert cell.chance[100] == 0.05


def test_the_least_patience_is_the_smallest_that_loses_at_most_half_a_point(study):
    table = patience_table(study)
    assert (least_patience(table).patience == 1).all(), "these curves rise until their best"
    table.loc[table.patience == 1, "loss"] = 0.006
    found = least_patience(table)
    assert (found.patience == 3).all()
    assert (found.steps_saved == 0).all()


def test_the_verdicts_match_the_planted_law(study):
    assert verdict_on(study, "grow with the context").answer == "sublinear"
    assert verdict_on(study, "Which law").answer.startswith(("odds", CANNOT_TELL))
    assert verdict_on(study, "threshold").answer in ("no", CANNOT_TELL)


def test_a_step_at_1000_is_a_threshold_and_names_the_context_that_has_it_alone():
    context, size = np.array([(c, n) for c in CONTEXTS for n in SIZES]).T
    smooth = 0.3 + 0.03 * np.log(size / 125) + 0.03 * np.log(context)
    for rows, verdict in ((context > 0, "yes"), (context == 16, "yes, at C=16")):
        found = planted_study(smooth + 0.12 * (rows & (size >= 1000)), seed=4)
        assert verdict_on(found, "threshold").answer == verdict
        assert "a break at N" in verdict_on(found, "threshold").evidence
        breaks = answer(found).thresholds.query("definition == 'break'").set_index("context_length")
        assert breaks.low[16] <= 1000 <= breaks.high[16]


def test_a_bend_at_the_border_of_what_the_sizes_tell_apart_is_no_threshold_near_1000():
    """With these sizes any break between 125 and 500, or 2,000 and 8,000, looks like one at 500, or at 2,000."""
    grid = (CONTEXTS, (125, 500, 1000, 2000, 8000))
    context, size = np.array([(c, n) for c in grid[0] for n in grid[1]], float).T
    for at in (250, 4000):
        past = np.log(size / at)
        bent = 1 / (1 + np.exp(-0.3 - np.where(past < 0, 0.7, 0.15) * past - 0.25 * np.log(context / 8)))
        assert verdict_on(planted_study(bent, seed=3, shape=Shape(grid=grid)), "threshold").answer == CANNOT_TELL


def test_a_flat_map_gets_no_law_and_is_called_flat():
    flat = planted_study(LAWS["odds"].__class__(LAWS["odds"].form, -0.4, 0.0, 0.0), seed=1)
    found = answer(flat)
    assert found.law is None
    assert "do not differ beyond chance" in found.refusals["law"]
    answers = {verdict.question.split("?")[0]: verdict.answer for verdict in found.verdicts}
    assert answers["Does Hit@5 grow with the context"] in ("flat", CANNOT_TELL)
    assert answers["Which law does Hit@5(C, N) follow"] == CANNOT_TELL
    assert answers["Is there a threshold near 1,000 sequences"] == "no"


def test_a_study_without_confirm_trials_has_no_answers(study):
    assert answer(with_trials(study, study.trials[study.trials.stage == "search"])) is None


def written(study: StudyRecords, folder, **manifest) -> str:
    store = RecordStore.at(folder)
    made = changed(study, split={"fingerprint": "f", "pool_size": POOL}, protocol="controlled")
    store.write_json("manifest.json", content(made) | manifest)
    for row in study.trials.astype(object).where(study.trials.notna(), None).to_dict("records"):
        store.write_record("trials", row["trial_id"], [row])
    return str(folder)


def test_two_studies_on_the_same_queries_make_one_map(study, tmp_path):
    small, large = (study.trials[study.trials.num_sequences.isin(sizes)] for sizes in (SIZES[:4], SIZES[3:]))
    places = [written(with_trials(study, half), tmp_path / name) for half, name in ((small, "a"), (large, "b"))]
    together = load_studies(places)
    assert sorted(together.trials.trial_id) == sorted(pd.concat([small, large]).trial_id.unique())
    assert together.manifest.study == "planted + planted"


def test_two_studies_that_chose_make_one_map_of_what_both_chose(tmp_path):
    whole = planted_study(np.array([0.4, 0.5, 0.45, 0.6]), 0, common=True, grid=((1, 4), (125, 500)), queries=16)
    places, chosen = [], content(whole)["chosen"]
    for size in (125, 500):
        own = {name: {cell: values for cell, values in cells.items() if cell.endswith(f"N{size}")}
               for name, cells in chosen.items()}  # fmt: skip
        half = with_trials(whole, whole.trials[whole.trials.num_sequences == size])
        places.append(written(half, tmp_path / str(size), chosen=own, cells=list(own["tuned"])))
    together = load_studies(places)
    assert set(together.confirmed.trial_id) == set(whole.confirmed.trial_id)
    assert set(together.common.confirmed.trial_id) == set(whole.common.confirmed.trial_id)
    older = written(half, tmp_path / "older", chosen=None, cells=list(own["tuned"]))
    mixed = load_studies([places[0], older])
    assert len(mixed.confirmed) == 6 + 12 and mixed.common is None, "an older study has one map alone"
    other = {"tuned": {cell: {"learning_rate": 0.5} for cell in own["tuned"]}}
    with pytest.raises(InputError, match="a cell at one configuration"):
        load_studies([places[1], written(half, tmp_path / "other", chosen=other, cells=list(own["tuned"]))])


def test_studies_on_other_queries_or_of_another_protocol_cannot_be_combined(study, tmp_path):
    few = with_trials(study, study.trials.head(2))
    first = written(few, tmp_path / "a")
    with pytest.raises(InputError, match="same protocol"):
        load_studies([first, written(few, tmp_path / "b", protocol="as_reported")])
    with pytest.raises(InputError, match="same queries"):
        load_studies([first, written(few, tmp_path / "c", split={"fingerprint": "g", "pool_size": POOL})])


def test_excluded_trials_are_counted_by_reason(study):
    assert study.left_out() == {"baseline, completed": 4, "pruned": 84, "search, completed": 84}


def renamed(study: StudyRecords, seed: int) -> StudyRecords:
    """Return the same study with the trial ids of another trainer version, sorted by id."""
    ids = study.trials.trial_id.sample(frac=1, random_state=seed).tolist()
    new = {old: f"t{i:04d}" for i, old in enumerate(ids)}
    frames = [frame.assign(trial_id=frame.trial_id.map(new)) for frame in (study.trials, study.curves, study.ranks)]
    ordered = [frame.sort_values("trial_id", kind="stable", ignore_index=True) for frame in frames]
    return StudyRecords(study.location, study.manifest, *ordered)


def test_no_finding_depends_on_the_ids_of_the_trials(study):
    before, after = tables(Evidence(study)), tables(Evidence(renamed(study, 1)))
    assert before.keys() == after.keys()
    for name, table in before.items():
        pd.testing.assert_frame_equal(table, after[name], check_exact=True, obj=name)


def test_every_finding_has_its_table_and_the_page_its_sections(study):
    evidence = Evidence(study)
    found = tables(evidence)
    assert {"comparisons", "pool_curve", "importance", "laws", "held_out", "thresholds", "best_context"} <= set(found)
    assert all(len(table) for table in found.values())
    page = markdown(evidence)
    for title in (
        "## Verdicts",
        "## Map",
        "### Importance of the searched values",
        "## Law",
        "left out of the fit and predicted",
    ):
        assert title in page
