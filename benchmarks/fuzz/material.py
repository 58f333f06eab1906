"""Make valid files, to be damaged case by case."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import sentence_transformers  # noqa: F401  slow to import, which no case should be charged for
import yaml

from benchmarks.torture.study import space_for
from lvm_core.checkpoint import model_files, write_folder
from lvm_core.corpus import EMBEDDED, open_corpus
from lvm_core.kalman import KalmanConfig, KalmanModel
from lvm_core.models import ModelConfig, build_model
from study.lifecycle.manifest import describe
from study.plan.plan import Plan, make_plan
from study.records.columns import TABLES
from study.records.store import RecordStore
from study.space.file import load_space
from study.trial.run import run_trial

DOCUMENTS = {
    "a.md": "# One\n\nA first sentence stands here with more than eight words in it. And a second one follows it, of a "
    "like length, I think.\n\n```\ncode\n```\n[link](http://x) and *stars* that nobody reads, but for the words.\n",
    "b.txt": "Plain text of one line with about ten words here. " * 4,
    "c.jsonl": "\n".join(json.dumps({"id": n, "title": f"T{n}", "text": "Here are eight words in one line. " * 5})
                         for n in range(3)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Material:
    """The folder of the valid files, and their contents."""

    folder: Path
    vectors: np.ndarray
    ids: np.ndarray
    space: dict
    plan: Plan
    manifest: dict
    model: dict  # the model's config.json

    def bytes_of(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


def prepare(folder: Path) -> Material:
    """Write a corpus, a space file, records of empty rows, a measured study of two cells (also joined to a file per
    table, and without records), a model and documents."""
    folder.mkdir()
    open_corpus(EMBEDDED)  # takes a second; cached for all cases
    made = KalmanModel.from_config(KalmanConfig(num_chains=60, chain_length=40, dim=16, topic_dim=2, state_dim=4))
    vectors, ids = made.sample()
    np.savez(folder / "c.npz", vectors=vectors, chain_ids=ids)
    pd.DataFrame({"vector": list(vectors), "chain_id": ids}).to_parquet(folder / "c.parquet")
    space = space_for("kalman") | {"data": {"num_queries": 60}, "presets": {"quick": {"replicates": 1}}}
    (folder / "s.yaml").write_text(yaml.safe_dump(space))
    store = RecordStore.at(folder / "study")
    for table, schema in TABLES.items():
        store.write_record(table, "0" * 16, [dict.fromkeys(schema.names) | {"trial_id": "0" * 16}])
    plan, manifest = _measured_study(folder)
    config = ModelConfig(dim=16, hidden_dim=8)
    facts = {"training": {"context_length": 4}, "corpus": "c", "corpus_fingerprint": plan.corpus.fingerprint}
    write_folder(folder / "model", model_files(build_model(config, 0).state_dict(), config, facts))
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text)
    return Material(folder, vectors, ids, space, plan, manifest, {"model": asdict(config), **facts})


def _measured_study(folder: Path) -> tuple[Plan, dict]:
    """Run confirm trials and baselines of two small cells, without a search."""
    changes = ["search=null", "start=null", "cells={context_length: [1, 2], num_sequences: [40]}", "fixed.max_steps=12"]
    space = load_space(str(folder / "s.yaml"), "quick", changes, {"corpus": str(folder / "c.npz")})
    plan = make_plan("measured", space, open_corpus(space.corpus))
    store = RecordStore.at(folder / "measured")
    manifest = json.loads(json.dumps(describe(plan, "python -m study.run s"), default=str))
    manifest["runs"] = [{"started_at": "2026-01-01T00:00:00+00:00", "ended": "done", "wall_s": 1.0, "num_trials": 1}]
    store.write_json("manifest.json", manifest)
    specs = [plan.spec(cell, "confirm", 1, {}) for cell in plan.cells]
    for spec in specs + [spec for job in plan.baseline_jobs() for spec in job]:
        updates = list(run_trial(spec, store))
        curve = [update.evaluation for update in updates if update.evaluation is not None]
        store.write_trial(updates[-1].row, curve, updates[-1].ranks, updates[-1].context_use)
    joined = RecordStore.at(folder / "joined")
    joined.write_json("manifest.json", manifest)
    RecordStore.at(folder / "begun").write_json("manifest.json", manifest)
    for table in TABLES:
        frame = store.read(table).astype(object)
        joined.write_record(table, "all", frame.where(frame.notna(), None).to_dict("records"))
    return plan, manifest
