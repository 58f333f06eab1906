"""Extensions of the trainer are registered in one place, and everything else follows from that."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from lvm_core import baselines
from lvm_core.baselines import BASELINES
from lvm_core.errors import InputError
from lvm_core.models import MODELS
from lvm_core.models.registry import register
from study.plan.plan import make_plan
from study.space.file import load_space
from study.trial.run import run_trial
from tests.studies import ROOT, SMALL_SPACE, save_space

# the squared length of a unit vector is 1, so the total loss must grow by the weight
MADE_UP_TERM = """
import json, sys
from lvm_core.loss_terms import RecipeWeight, register

@register("length", weight=RecipeWeight("beta", default=0.0), on_validation=True, meaning="mean squared length")
def length(given):
    return given.prediction.square().sum(-1).mean()

from study.records.columns import CURVES, TRIALS
from study.report.dictionary import markdown_tables
assert "torch" not in sys.modules, "columns and their meanings must not import torch"

from lvm_core.corpus import open_corpus
from study.plan.plan import make_plan
from study.space.file import load_space
from study.trial.run import run_trial

space, corpus = sys.argv[1:]
ids, rows, curves = [], [], []
for settings in ([], ["fixed.beta=0.0"], ["fixed.beta=2.0"]):
    plan = make_plan("s", load_space(space, None, settings, {}), open_corpus(corpus))
    spec = plan.spec(plan.cells[0], "confirm", 1, {})
    updates = list(run_trial(spec))
    assert updates[-1].row["status"] == "completed", updates[-1].row["error"]
    ids.append(spec.trial_id)
    rows.append(updates[-1].row["beta"])
    curves.append({key: value for key, value in updates[0].evaluation.items() if "los" in key or "length" in key})
print(json.dumps([TRIALS.names, CURVES.names, markdown_tables(), ids, rows, curves]))
"""


@pytest.mark.slow
def test_a_new_loss_term_adds_its_recipe_key_its_columns_and_its_share_of_the_loss(tmp_path, small_file):
    space = save_space(SMALL_SPACE, tmp_path / "space.yaml")
    command = [sys.executable, "-c", MADE_UP_TERM, space, small_file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    trials, curve_names, dictionary, ids, betas, curves = json.loads(done.stdout)
    assert trials[trials.index("alpha") + 1] == "beta"
    assert [name for name in curve_names if "length" in name and name != "context_length"] == [
        "loss_length",
        "val_length",
    ]
    assert "`loss_infonce`, `loss_length` | means since the evaluation before; `loss_length`: mean squared length" in (
        dictionary
    )
    assert "`val_infonce`, `val_length`" in dictionary
    assert betas == [0.0, 0.0, 2.0]
    assert ids[0] == ids[1] != ids[2]
    without, _, with_term = curves
    for name in ("loss_length", "val_length"):
        assert abs(with_term[name] - 1) < 1e-5
    others = with_term["loss_mse"] + 0.5 * with_term["loss_cosine"] + 0.03 * with_term["loss_infonce"]
    assert abs(with_term["train_loss"] - others - 2.0) < 1e-4
    assert abs(without["train_loss"] + 2.0 - with_term["train_loss"]) < 0.1


class Mirror(nn.Module):
    """Predicts a change along the first vector of the context, with one trained parameter."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    @classmethod
    def from_config(cls, config):
        return cls()

    def forward(self, context):
        return self.scale * context[:, 0]

    def flops_per_sequence(self, context_length):
        return 1.0

    def end_step(self):
        pass


def planned(tmp_path, corpus, settings=()):
    space = save_space(SMALL_SPACE, tmp_path / "space.yaml")
    return make_plan("s", load_space(space, None, list(settings), {}), corpus)


def final_row(spec) -> dict:
    row = list(run_trial(spec))[-1].row
    assert row["status"] == "completed", row["error"]
    return row


@pytest.fixture
def mirror():
    register("mirror")(Mirror)
    yield
    del MODELS["mirror"]


@pytest.mark.usefixtures("mirror")
def test_a_new_model_can_be_selected_and_trained(tmp_path, small_corpus):
    plan = planned(tmp_path, small_corpus, ["arms={model: [mirror, gru]}"])
    spec = plan.spec(plan.cells[0], "confirm", 1, {})
    row = final_row(spec)
    assert (row["model"], row["num_parameters"], spec.cell_id) == ("mirror", 1, "C1_N20_modelmirror")
    with pytest.raises(InputError, match=r"did you mean mirror\?"):
        planned(tmp_path, small_corpus, ["fixed.model=mirrors"])


@pytest.mark.parametrize("trains", [False, True])
def test_a_new_baseline_is_planned_and_run(tmp_path, small_corpus, monkeypatch, trains):
    monkeypatch.setattr(baselines, "BASELINES", dict(BASELINES))
    given = []

    @baselines.register("zero", trains=trains)
    def zero(task, *windows):
        given.append(windows)
        return task.choose([{"strength": 1}], lambda queries, _: np.zeros((len(queries.positions), 16)))

    plan = planned(tmp_path, small_corpus)
    specs = [spec for job in plan.baseline_jobs() for spec in job if spec.recipe["model"] == "zero"]
    assert [spec.num_sequences for spec in specs] == ([60, 50, 40, 30, 20] if trains else [None])
    row = final_row(specs[0])
    assert json.loads(row["config"]) == {"model": "zero", "strength": 1}
    assert row["test_hit_at_5"] == pytest.approx(5 / 100), "a zero vector ties with every candidate"
    assert given == [(60, specs[0].replicate_seed) if trains else ()]
