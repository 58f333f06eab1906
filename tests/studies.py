"""Whole small studies from the command line, and what must not depend on how they were run."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent

# four cells with a search; a trial takes a fraction of a second
TINY_SPACE = {
    "question": "Does a tiny study work?",
    "cells": {"context_length": [1, 4], "num_sequences": [20, 60]},
    "data": {"num_queries": 100},
    "fixed": {
        "hidden_dim": 8, "batch_size": 16, "num_negatives": 12, "max_steps": 24, "warmup_steps": 2,
        "eval_interval": 3, "device": "cpu", "precision": "float32",
    },
    "search": {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "alpha": {"choices": [0.03, 0.3]}},
    "points_to_evaluate": [{"learning_rate": 1e-2, "alpha": 0.03}],
    "patience": {"replay": [2, 4]},
    "racing": {"num_samples": 4, "grace_period": 1, "reduction_factor": 2},
    "replicates": 2,
}  # fmt: skip

# no search: every trial is a confirm trial or a baseline
SMALL_SPACE = {key: value for key, value in TINY_SPACE.items() if key not in ("search", "points_to_evaluate")} | {
    "cells": {"context_length": [1], "num_sequences": [20, 30, 40, 50, 60]},
    "replicates": 1,
}


def save_space(space: dict, path: Path) -> str:
    path.write_text(yaml.safe_dump(space))
    return str(path)


def command(space: str, corpus: str, out: Path | str, *more: str, study: str = "tiny") -> list[str]:
    """Return the command of a study of one worker: each more costs seconds, so tests ask for two where it matters."""
    line = [sys.executable, "-m", "study.run", space, "--corpus", corpus, "--out", str(out), "--study", study]
    return [*line, "--workers", "1", *more]


def complete(*arguments, **options) -> subprocess.CompletedProcess:
    """Run a study to its end."""
    done = subprocess.run(command(*arguments, **options), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def identity(folder: Path) -> pd.DataFrame:
    """What must not depend on how a study was run: ids, figures and ranks."""
    trials = pd.read_parquet(folder / "trials").set_index("trial_id").sort_index()
    assert trials.index.is_unique
    return trials[["stage", "cell_id", "status", "stop_reason", "val_hit_at_5", "val_mrr", "test_hit_at_5", "test_mrr"]]


def sorted_ranks(folder: Path) -> pd.DataFrame:
    ranks = pd.read_parquet(folder / "ranks")
    return ranks.sort_values(["trial_id", "split", "query_id"]).reset_index(drop=True)
