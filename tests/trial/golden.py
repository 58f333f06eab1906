"""Golden numbers: small runs of all models, baselines and protocols, and a digest of the machine's arithmetic.

    python -m tests.trial.golden    # adds this machine's digests, or records everything again after a version bump

The corpus has entries of +1 and -1 in 16 dimensions, so norms and similarities are exact on every processor.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
import yaml
from scipy.linalg import solve

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import oracle
from lvm_core.corpus import open_corpus
from lvm_core.dataset import Dataset
from lvm_core.kalman import KalmanConfig, KalmanModel
from lvm_core.models import ModelConfig
from lvm_core.train_config import TrainConfig
from lvm_core.trainer import auto_micro_batch
from lvm_core.version import TRAINER_VERSION
from study.plan.plan import make_plan
from study.space.file import load_space
from study.trial.run import run_trial

FILE = Path(__file__).with_name("golden.json")
ARCHIVE = Path(__file__).parents[1] / "data" / "study_0_1.zip"
SPACE = {
    "question": "Do the numbers stay the same?",
    "cells": {"context_length": [4], "num_sequences": [60]},
    "data": {"num_queries": 100, "exclude_context": False},
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
    "two layers": ["fixed.num_negatives=24", "fixed.num_layers=2", "fixed.micro_batch_size=5"],
    "wsd": ["fixed.num_negatives=24", "fixed.schedule=wsd"],
    "bfloat16": ["fixed.num_negatives=24", "fixed.precision=bfloat16"],
    "own context left out": ["fixed.num_negatives=24", "data.exclude_context=true"],
    "as reported": ["protocol=as_reported", "fixed.epochs=4", "fixed.batch_size=32"],
}
WITH_BASELINES = ("controlled", "own context left out", "as reported")  # the others change no baseline
COUNTS = ("trial_id", "status", "stop_reason", "num_parameters", "split_fingerprint", "corpus_fingerprint")
FIGURES = ("val_hit_at_5", "val_cosine", "test_hit_at_5", "test_cosine")
BOUND = 0.02  # of a figure, on a machine with another arithmetic
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
            baselines = [spec for job in plan.baseline_jobs() for spec in job] if name in WITH_BASELINES else []
            if name == "controlled":
                yield "oracle", _oracle(plan.dataset)
            for spec in specs + baselines:
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


def _oracle(dataset: Dataset) -> dict[str, Any]:
    """Return the facts of the Kalman filter's predictions on the queries: its numbers, not its fit to this corpus."""
    process = KalmanModel.from_config(KalmanConfig(dim=dataset.corpus.dim, topic_dim=2, state_dim=4))
    config = replace(dataset.config, boundary="within")
    result = oracle(BaselineTask(replace(dataset, corpus=replace(dataset.corpus, oracle=process), config=config), 4))
    digest = hashlib.sha256(b"".join(part.rank.tobytes() for part in (result.validation, result.test)))
    figures = {"val_cosine": result.validation.cosine, "test_cosine": result.test.cosine}
    return figures | {"digest": digest.hexdigest()[:16]}


def micro_batches() -> dict[str, int]:
    """Return how work is split at sizes up to the published ones: gradients add up in that order."""
    sizes = {"small": (64, 64, 32), "D=384": (384, 256, 100), "published": (768, 512, 1000), "long": (768, 512, 2000)}
    return {
        name: auto_micro_batch(
            TrainConfig(context_length=context, num_sequences=500), ModelConfig(dim=dim, hidden_dim=hidden)
        )
        for name, (dim, hidden, context) in sizes.items()
    }


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
    half = torch.from_numpy(single).bfloat16()
    digest.update((half @ half.T).float().numpy().tobytes())
    return digest.hexdigest()[:12]


def recorded() -> dict[str, Any]:
    """Read the golden file: trainer_version, micro_batches, facts a run, and digests a run for each arithmetic."""
    return json.loads(FILE.read_text())


def differences(found: dict[str, dict], before: dict[str, Any]) -> list[str]:
    """Return the recorded runs that come out differently: to the bit if the arithmetic is known, else beyond bounds."""
    digests, other = before["digests"].get(arithmetic(), {}), []
    for name, facts in before["facts"].items():
        now = found[name]
        is_near = all(abs(now[key] - facts[key]) <= BOUND for key in (*FIGURES, "train_loss") if key in facts)
        is_same = all(now.get(key) == facts.get(key) for key in COUNTS)
        is_exact = now["digest"] == digests.get(name, now["digest"])
        other += [] if is_near and is_same and is_exact else [name]
    return other


def record() -> None:
    """Record this machine's digests beside the others, or everything anew under a raised version."""
    found, before = dict(runs()), recorded() if FILE.exists() else {"trainer_version": None}
    is_new = before["trainer_version"] != TRAINER_VERSION
    if not is_new and (other := differences(found, before)):
        sys.exit(f"{other} come out differently. If that is meant, raise TRAINER_VERSION first.")
    digests = {} if is_new else before["digests"]
    digests[arithmetic()] = {name: facts.pop("digest") for name, facts in found.items()}
    facts = found if is_new else found | before["facts"]
    content = {"trainer_version": TRAINER_VERSION, "micro_batches": micro_batches(), "facts": facts, "digests": digests}
    FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    record()
