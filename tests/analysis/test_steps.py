"""Steps: how long each cell trained, its best step, and where more steps may help."""

import json

import pandas as pd
import pytest

from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.analysis.steps import steps_table
from study.records.columns import TABLES
from study.report.findings.steps import ABSENT, binding, blocks, screen
from tests.manifests import manifest


def study_of(runs: dict[int, list[tuple[int, int, str]]], max_steps: int = 600) -> StudyRecords:
    """Build confirm trials. runs: by N, (best step, steps run, why it stopped) of each replicate."""
    trials = [
        {"trial_id": f"{size}-{number}", "stage": "confirm", "status": "completed", "cell_id": f"C4_N{size}",
         "context_length": 4, "num_sequences": size, "replicate": number, "val_hit_at_5": 0.5, "chance_hit_at_5": 0.01,
         "best_step": best, "num_steps": ran, "stop_reason": why, "config": json.dumps({"max_steps": max_steps})}
        for size, own in runs.items() for number, (best, ran, why) in enumerate(own, 1)
    ]  # fmt: skip
    tables = {name: TABLES[name].empty_table().to_pandas() for name in ("curves", "ranks")}
    trials = pd.DataFrame(trials).reindex(columns=TABLES["trials"].names)
    return StudyRecords("made", manifest(cells=[f"C4_N{size}" for size in runs]), trials, **tables)


RUNS = {
    125: [(100, 250, "patience"), (150, 300, "patience"), (50, 200, "patience")],
    2000: [(600, 600, "max_steps"), (600, 600, "max_steps"), (450, 600, "max_steps")],
    4000: [(562, 562, "patience"), (562, 562, "patience"), (600, 600, "max_steps")],  # wsd: best where it has decayed
}


def test_the_budget_binds_where_most_replicates_are_best_at_their_last_possible_step():
    table = steps_table(study_of(RUNS)).set_index("num_sequences")
    assert table.budget_binds.to_dict() == {125: False, 2000: True, 4000: False}
    assert table.num_best_last.tolist() == [0, 2, 1]
    assert table.loc[125, ["num_steps", "num_steps_min", "num_steps_max"]].tolist() == [250, 200, 300]
    assert table.loc[125, ["best_step", "best_step_min", "best_step_max"]].tolist() == [100, 50, 150]
    assert set(table.max_steps) == {600}


def test_the_report_says_in_how_many_cells_more_steps_may_help():
    evidence = Evidence(study_of(RUNS))
    sentence = "In 1 of 3 cells the best evaluation is the last in most replicates: more steps may help."
    assert sentence in blocks(evidence, "") and screen(evidence, "") == [sentence]
    assert blocks(evidence, "")[2].rows[1] == ["C4_N2000", "600", "600 [600, 600]", "550 [450, 600]", "2 of 3", "yes"]
    free = Evidence(study_of({125: RUNS[125]}))
    assert "binds nowhere" in binding(free.steps) and screen(free, "") == []


def test_records_without_steps_have_no_such_table(made):
    study = study_of(RUNS)
    study.trials[["best_step", "num_steps"]] = None
    assert steps_table(study).empty
    assert blocks(Evidence(study), "") == [ABSENT] and screen(Evidence(study), "") == []


def test_trials_of_unequal_budgets_have_no_single_one():
    study = study_of(RUNS)
    study.trials.loc[0, "config"] = '{"max_steps": 100}'
    table = steps_table(study)
    assert table.max_steps.isna().tolist() == [True, False, False]
    assert blocks(Evidence(study), "")[2].rows[0][1] == "-"
    assert table.num_steps[0] == pytest.approx(250)
