"""The best confirmed model is exported completely, with a card of what was measured, or not at all."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from lvm_core.corpus import open_corpus
from study import best
from study.analysis.best import best_configs
from study.analysis.load import load_study
from study.lifecycle.manifest import describe
from study.plan.plan import make_plan
from study.records.store import RecordStore
from study.space.file import load_space
from study.trial.run import run_trial
from tests.studies import TINY_SPACE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recorded(small_file, tmp_path_factory) -> Path:
    """A study of two cells: real confirm trials and baselines, run one after the other."""
    folder = tmp_path_factory.mktemp("recorded")
    space = TINY_SPACE | {"cells": {"context_length": [1, 4], "num_sequences": [60]}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(space))
    loaded = load_space(str(folder / "tiny.yaml"), None, [], {"corpus": small_file})
    plan = make_plan("tiny", loaded, open_corpus(small_file))
    store = RecordStore.at(folder / "tiny")
    store.write_json("manifest.json", describe(plan, "a test"))
    specs = [
        plan.spec(group, "confirm", 1 + n, TINY_SPACE["points_to_evaluate"][0])
        for group in plan.cells
        for n in range(2)
    ]
    for spec in specs + [spec for job in plan.baseline_jobs() for spec in job]:
        updates = list(run_trial(spec, store))
        curve = [update.evaluation for update in updates if update.evaluation is not None]
        assert updates[-1].row["status"] == "completed", updates[-1].row["error"]
        store.write_trial(updates[-1].row, curve, updates[-1].ranks, updates[-1].context_use)
    return folder / "tiny"


@pytest.fixture(scope="module")
def exported(recorded, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "model"
    assert best.main([str(recorded), "--export", str(folder)]) == 0
    return folder


def test_the_exported_model_is_the_best_one_and_predicts_in_a_fresh_process(recorded, exported, small_file):
    entry = best_configs(load_study(str(recorded)))["overall"]
    facts = json.loads((exported / "config.json").read_text())
    assert (facts["trial_id"], facts["cell_id"]) == (entry["trial_id"], entry["cell_id"])
    weights = recorded / "checkpoints" / entry["trial_id"] / "model.safetensors"
    assert (exported / "model.safetensors").read_bytes() == weights.read_bytes()
    code = (
        "from lvm_core.corpus import open_corpus; from lvm_core.predict import Predictor;"
        f"corpus = open_corpus({small_file!r});"
        f"print(*Predictor.load({str(exported)!r}).over(corpus).search(corpus.vectors[:9], k=3)[1][0])"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(set(output.split())) == 3


def test_the_card_shows_figures_pool_intervals_baselines_fingerprint_and_a_blank_licence(recorded, exported):
    study, card = load_study(str(recorded)), (exported / "README.md").read_text()
    best_of = best_configs(study)
    entry = best_of["cells"][best_of["overall"]["cell_id"]]
    trial = study.trials.set_index("trial_id").loc[entry["trial_id"]]
    low, high = entry["hit_at_5_low"], entry["hit_at_5_high"]
    figures = f"| Hit@5 | {entry['hit_at_5']:.3f} [{low:.3f}, {high:.3f}] | {trial.test_hit_at_5:.3f} |"
    assert figures in card
    assert "100 queries in" in card and "one pool of 100 candidates" in card
    for name in ("last_vector", "context_ema", "ridge", "nearest_window"):
        assert re.search(rf"\| {name} \| 0\.\d+ \| 0\.\d+", card), name
    assert trial.corpus_fingerprint in card and trial.code_version in card
    assert "| licence of the data | **To be filled in" in card
    assert re.search(rf"\| {entry['context_length']} \| \d+\.\d+ \| \d+\.\d+ \|", card)


def test_another_cell_can_be_exported_and_an_unknown_one_is_refused(recorded, tmp_path, capsys):
    assert best.main([str(recorded), "--export", str(tmp_path / "m"), "--cell", "C1_N60"]) == 0
    assert json.loads((tmp_path / "m" / "config.json").read_text())["training"]["context_length"] == 1
    capsys.readouterr()
    assert best.main([str(recorded), "--export", str(tmp_path / "n"), "--cell", "C1_N61"]) == 2
    assert "did you mean C1_N60?" in capsys.readouterr().err
    assert best.main([str(recorded), "--cell", "C1_N60"]) == 2
    assert not (tmp_path / "n").exists()


def test_an_export_overwrites_nothing(recorded, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert best.main([str(recorded), "--export", str(tmp_path)]) == 2
    assert "must name a new or empty folder" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_checkpoint_that_cannot_be_loaded_is_not_exported(recorded, tmp_path, damage, capsys):
    copy = tmp_path / "study"
    shutil.copytree(recorded, copy)
    for weights in copy.glob("checkpoints/*/model.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-64]) if damage == "truncated" else weights.unlink()
    assert best.main([str(copy), "--export", str(tmp_path / "model")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and "model.safetensors" in error
    assert not (tmp_path / "model").exists()


def test_without_export_no_torch_is_loaded(recorded):
    code = f"import sys; from study import best; best.main([{str(recorded)!r}]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert np.isfinite(best_configs(load_study(str(recorded)))["overall"]["hit_at_5"])
