"""Findings from made-up records: estimates computed by hand, interval coverage, leaks, and excluded trials."""

import numpy as np
import pandas as pd
import pytest

from lvm_core.errors import InputError
from study.analysis.best import best_configs
from study.analysis.cells import best_baseline, cells
from study.analysis.leaks import above_oracle
from study.analysis.load import StudyRecords
from study.analysis.patience import least_patience, patience_marks, patience_table, replay
from study.records.columns import TABLES
from tests.manifests import manifest

NUM_QUERIES, POOL = 60, 100
CHAINS = np.repeat(np.arange(12), 5)


class Made:
    """Builds records trial by trial."""

    def __init__(self):
        self.trials, self.ranks, self.curves = [], [], []

    def trial(
        self, trial_id, stage, model, test_rank, *, cell=(4, 20), replicate=1, status="completed", val=0.5, oracle=None
    ):
        cell_id = f"C{cell[0]}_N{cell[1]}" if cell[1] else f"C{cell[0]}"
        self.trials.append(
            {"trial_id": trial_id, "stage": stage, "model": model, "status": status, "cell_id": cell_id,
             "context_length": cell[0], "num_sequences": cell[1], "replicate": replicate, "val_hit_at_5": val,
             "test_hit_at_5": float((np.asarray(test_rank) <= 5).mean()), "pool_size": POOL, "num_queries": NUM_QUERIES,
             "chance_hit_at_5": 5 / POOL, "oracle_hit_at_5": oracle, "config": '{"alpha": 0.03}'}
        )  # fmt: skip
        for query, rank in enumerate(test_rank):
            self.ranks.append((trial_id, "test", query, CHAINS[query], rank, 0))

    def curve(self, trial_id, hits):
        self.curves += [
            {"trial_id": trial_id, "eval_index": i, "step": 10 * i, "val_hit_at_5": h} for i, h in enumerate(hits, 1)
        ]

    def study(self, **space) -> StudyRecords:
        made = manifest(cells=["C4_N20"], space={"replicates": 2, "patience": {"replay": [1, 2, 4]}, **space})
        trials = pd.DataFrame(self.trials).reindex(columns=TABLES["trials"].names)
        ranks = pd.DataFrame(self.ranks, columns=TABLES["ranks"].names)
        curves = pd.DataFrame(self.curves).reindex(columns=TABLES["curves"].names)
        return StudyRecords("made", made, trials, curves, ranks)


def ranks_with(num_hits: int, hit_rank: int = 1) -> list[int]:
    """Ranks of all queries, hits spread over the chains."""
    order = np.argsort(np.arange(NUM_QUERIES) % 5, kind="stable")
    rank = np.full(NUM_QUERIES, 50)
    rank[order[:num_hits]] = hit_rank
    return rank.tolist()


@pytest.fixture
def made() -> Made:
    """A cell of two replicates (hits 45 and 33 of 60), two baselines, an oracle."""
    made = Made()
    made.trial("a1", "confirm", "gru", ranks_with(45), oracle=0.8)
    made.trial("a2", "confirm", "gru", ranks_with(33, hit_rank=4), replicate=2, oracle=0.8)
    made.trial("b1", "baseline", "last_vector", ranks_with(30), cell=(4, None), replicate=None, val=0.4)
    made.trial("b2", "baseline", "ridge", ranks_with(12), val=0.6)
    made.trial("b3", "baseline", "ridge", ranks_with(12), cell=(4, 999), val=0.99)
    made.trial("o1", "baseline", "oracle", ranks_with(48), cell=(4, None), replicate=None, val=0.95)
    return made


def test_a_cells_figures_match_those_computed_by_hand(made):
    row = cells(made.study()).iloc[0]
    assert (row.num_replicates, row.num_queries, row.num_chains, row.pool_size) == (2, 60, 12, 100)
    assert row.hit_at_5 == pytest.approx((45 + 33) / 120)
    assert row.hit_at_1 == pytest.approx(45 / 120)
    assert row.mrr == pytest.approx((45 + 15 / 50 + 33 / 4 + 27 / 50) / 120)
    assert row.oracle_share == pytest.approx(row.hit_at_5 / 0.8)
    assert row.oracle_share_low < row.oracle_share < row.oracle_share_high
    assert row.replicate_sd == pytest.approx(np.std([45 / 60, 33 / 60], ddof=1))
    assert row.hit_at_5_low < row.hit_at_5 < row.hit_at_5_high


def test_the_best_baseline_is_chosen_on_validation_and_measured_on_test(made):
    study = made.study()
    assert set(best_baseline(study, 4, 20).trial_id) == {"b2"}, (
        "better on validation, worse on test; N and C must match"
    )
    row = cells(study).iloc[0]
    assert (row.best_baseline, row.baseline_hit_at_5) == ("ridge", pytest.approx(0.2))
    assert row.lift == pytest.approx(0.65 - 0.2)
    assert row.lift_low < row.lift < row.lift_high


@pytest.mark.parametrize("status", ["failed", "pruned", "diverged", "timeout", "infeasible"])
def test_only_completed_confirm_trials_enter_estimates(made, status):
    before = cells(made.study())
    made.trial("x", "confirm", "gru", ranks_with(60), replicate=3, status=status)
    made.trial("y", "search", "gru", ranks_with(60), replicate=0)
    pd.testing.assert_frame_equal(cells(made.study()), before)


def test_a_study_without_confirm_trials_has_an_empty_map_and_no_best():
    study = Made().study()
    assert cells(study).empty
    assert best_configs(study)["overall"] is None


def test_trials_on_other_queries_are_not_compared(made):
    made.ranks = [(i, s, q + 1000 if i == "a2" else q, c, r, t) for i, s, q, c, r, t in made.ranks]
    with pytest.raises(InputError, match="can only be compared on the same queries"):
        cells(made.study())


def test_a_lift_within_its_interval_is_not_called_a_win(made):
    made.trial("b4", "baseline", "context_ema", ranks_with(38), cell=(4, None), replicate=None, val=0.9)
    best = best_configs(made.study())["overall"]
    assert best["best_baseline"] == "context_ema"
    assert best["lift_low"] < 0 < best["lift_high"]
    assert best["beats_best_baseline"] is False


def test_gates_are_the_published_ones_and_come_with_their_pool(made):
    best = best_configs(made.study())["cells"]["C4_N20"]
    assert best["gates"] == {"hit_at_1": True, "hit_at_5": True, "hit_at_10": False, "no_leakage": True}
    assert best["pool_size"] == 100


def test_a_trial_above_the_oracle_beyond_chance_is_found_and_one_at_it_is_not(made):
    assert above_oracle(made.study()).empty
    made.trial("leak", "confirm", "gru", ranks_with(60), replicate=3, oracle=0.8)
    assert above_oracle(made.study()).trial_id.tolist() == ["leak"]


@pytest.mark.parametrize(
    ("patience", "expected"), [(1, (2, 1)), (2, (6, 4)), (3, (7, 4)), (9, (9, 8))], ids=lambda value: str(value)
)
def test_patience_is_read_off_the_curve(patience, expected):
    assert replay([0.30, 0.30, 0.31, 0.40, 0.40, 0.39, 0.38, 0.41, 0.2], patience) == expected


def test_the_patience_table_has_the_loss_against_the_largest_patience_and_the_steps_run(made):
    made.curve("a1", [0.1, 0.1, 0.3, 0.2])
    made.curve("a2", [0.2, 0.3, 0.3, 0.3])
    table = patience_table(made.study()).set_index("patience")
    assert table.loss.to_dict() == pytest.approx({1: 0.1, 2: 0.0, 4: 0.0})
    assert table.num_steps.to_dict() == pytest.approx({1: 25, 2: 40, 4: 40})
    assert set(table.num_trials) == {2}


def test_a_run_that_decays_where_patience_ends_is_not_read_at_a_smaller_patience(made):
    made.curve("a1", [0.1, 0.1, 0.3, 0.2])
    made.curve("a2", [0.2, 0.3, 0.3, 0.3])
    made.trials[0]["config"] = '{"schedule": "wsd"}'
    assert set(patience_table(made.study()).num_trials) == {1}
    assert set(patience_marks(made.study()).trial_id) == {"a2"}
    for trial in made.trials:
        trial["config"] = '{"schedule": "wsd"}'
    assert patience_table(made.study()).empty and patience_marks(made.study()).empty
    assert least_patience(patience_table(made.study())).empty


def test_missing_replicates_are_counted(made):
    study = made.study(replicates=5)
    assert study.missing_confirm == {"C4_N20": 3}
