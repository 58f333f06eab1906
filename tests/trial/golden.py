"""Golden numbers: small runs of all models, baselines and protocols, and a digest of the machine's arithmetic.

    python -m tests.trial.golden    # adds this machine's digests, or records everything again after a version bump

The corpus has entries of +1 and -1 in 16 dimensions, so norms and similarities are exact on every processor.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
import yaml
from scipy.linalg import solve

from lvm_core.corpus import open_corpus
from lvm_core.version import TRAINER_VERSION
from study.plan.plan import make_plan
from study.space.file import load_space
from study.trial.run import run_trial

FILE = Path(__file__).with_name("golden.json")
ARCHIVE = Path(__file__).parents[1] / "data" / "study_0_1.zip"
SPACE = {
    "question": "Do the numbers stay the same?",
    "cells": {"context_length": [4], "num_sequences": [60]},
    "data": {"num_queries": 100},
    "fixed": {
        "hidden_dim": 12, "batch_size": 32, "max_steps": 16, "warmup_steps": 2, "eval_interval": 8, "device": "cpu",
        "precision": "float32", "learning_rate": 0.01,
    },
    "arms": {"model": ["gru", "memory_gru", "hierarchical_gru", "transformer"]},
    "patience": {"replay": [3]},
    "replicates": 1,
}  # fmt: skip
CHANGES = {  # name of a set of runs: settings merged over the space
    "controlled": ["fixed.num_negatives=24"],
    "anchor ema": ["fixed.num_negatives=24", "fixed.anchor=ema", "fixed.alpha=0.3"],
    "best by loss": ["fixed.num_negatives=24", "fixed.select_by=loss", "fixed.normalize_loss=false"],
    "as reported": ["protocol=as_reported", "fixed.epochs=4", "fixed.batch_size=32"],
}
COUNTS = ("trial_id", "status", "stop_reason", "num_parameters", "split_fingerprint", "corpus_fingerprint")
FIGURES = ("val_hit_at_5", "val_cosine", "test_hit_at_5", "test_cosine")
EXACT = (
    "best_step", "num_steps", "sequences_seen", "val_hit_at_1", "val_hit_at_5", "val_hit_at_10", "val_mrr",
    "val_cosine", "test_hit_at_1", "test_hit_at_5", "test_hit_at_10", "test_mrr", "test_cosine", "train_flops",
)  # fmt: skip


def runs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the compared facts of each run; `digest` covers every number to the bit."""
    with tempfile.TemporaryDirectory() as folder:
        ZipFile(ARCHIVE).extract("signs.npz", folder)
        corpus = open_corpus(f"{folder}/signs.npz", Path(folder) / "cache")
        path = Path(folder) / "golden.yaml"
        path.write_text(yaml.safe_dump(SPACE))
        for name, settings in CHANGES.items():
            plan = make_plan("golden", load_space(str(path), None, settings, {}), corpus)
            specs = [plan.spec(cell, "confirm", 1, {}) for cell in plan.cells]
            for spec in specs + [spec for job in plan.baseline_jobs() for spec in job]:
                yield f"{name}, {spec.recipe['model']}", _facts(list(run_trial(spec)))


def _facts(updates: list) -> dict[str, Any]:
    row = updates[-1].row
    curve = [update.evaluation for update in updates if update.evaluation is not None]
    numbers = [{key: row.get(key) for key in EXACT}]
    numbers += [{key: value for key, value in point.items() if key != "elapsed_s"} for point in curve]
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True, default=float).encode())
    for name in ("query_id", "rank", "num_ties"):
        digest.update(np.ascontiguousarray(updates[-1].ranks[name]).astype(np.int64).tobytes())
    facts = {name: row[name] for name in COUNTS if row.get(name) is not None}
    facts |= {name: float(row[name]) for name in FIGURES}
    if curve:
        facts["train_loss"] = float(curve[-1]["train_loss"])
    return facts | {"digest": digest.hexdigest()[:16]}


def arithmetic() -> str:
    """Return a digest of basic operations, 12 hex digits: machines with the same digest compute the same bits."""
    ramp = np.sin(np.arange(96 * 64, dtype=np.float64)).reshape(96, 64)
    single, square = ramp.astype(np.float32), ramp.T @ ramp + np.eye(64)
    found = [single @ single.T, ramp @ ramp.T, solve(square, ramp.T, assume_a="pos"), np.exp(single), np.tanh(ramp)]
    torch.set_num_threads(1)
    x = torch.from_numpy(single.reshape(8, 12, 64)).requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = torch.nn.GRU(64, 24, batch_first=True), torch.nn.LayerNorm(24), torch.nn.Linear(24, 16)
    y = layers[2](torch.nn.functional.gelu(layers[1](layers[0](x)[0])))
    loss = torch.nn.functional.cross_entropy(y.reshape(96, 16), torch.arange(96) % 16)
    (loss + torch.softmax(y, -1).square().mean() + torch.nn.functional.normalize(y, dim=-1).sum()).backward()
    tensors = [loss, y, x.grad, *(p.grad for layer in layers for p in layer.parameters())]
    digest = hashlib.sha256()
    for array in found + [tensor.detach().numpy() for tensor in tensors]:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]


def recorded() -> dict[str, Any]:
    """Read the golden file: trainer_version, the facts of each run, and its digest for each arithmetic."""
    return json.loads(FILE.read_text())


def record() -> None:
    """Add this machine's digests to the golden file, or record everything again after a version bump."""
    found, before = dict(runs()), recorded() if FILE.exists() else {}
    digests = before.get("digests", {}) if before.get("trainer_version") == TRAINER_VERSION else {}
    digests[arithmetic()] = {name: facts.pop("digest") for name, facts in found.items()}
    facts = before["facts"] if len(digests) > 1 else found
    content = {"trainer_version": TRAINER_VERSION, "facts": facts, "digests": digests}
    FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    record()
