"""What people add to the trainer is registered in one place, and all the rest follows from there."""

import json
import subprocess
import sys

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
assert "torch" not in sys.modules, "columns and their meanings do without torch"

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


def test_a_made_up_loss_term_brings_its_recipe_key_its_columns_and_its_share_of_the_loss(tmp_path, small_file):
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
    parts = with_term["loss_mse"] + 0.5 * with_term["loss_cosine"] + 0.03 * with_term["loss_infonce"]
    assert abs(with_term["train_loss"] - parts - 2.0) < 1e-4
    assert abs(without["train_loss"] + 2.0 - with_term["train_loss"]) < 0.1
