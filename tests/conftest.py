"""Shared fixtures: small made corpora, a private cache, a tiny study space."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lvm_core.corpus import Corpus, open_corpus
from lvm_core.dataset import DataConfig, Dataset, build_dataset
from lvm_core.kalman import KalmanConfig, KalmanModel
from study.analysis.load import StudyRecords
from study.report.findings import Findings
from study.report.page import page
from tests.made_report import made_study

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, so that no worker begins a long one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep converted corpora out of the user's cache, for this process and those that it starts."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LVM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def save_npz(path: Path, vectors: np.ndarray, chain_ids: np.ndarray, **more: np.ndarray) -> str:
    np.savez_compressed(path, vectors=vectors, chain_ids=chain_ids, **more)
    return str(path)


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """60 chains of 40 vectors in 16 dims, from a linear process, as an .npz."""
    model = KalmanModel.from_config(KalmanConfig(num_chains=60, chain_length=40, dim=16, topic_dim=2, state_dim=4))
    return save_npz(tmp_path_factory.mktemp("corpus") / "small.npz", *model.sample())


@pytest.fixture(scope="session")
def small_corpus(small_file: str) -> Corpus:
    return open_corpus(small_file)


@pytest.fixture(scope="session")
def small_data(small_corpus: Corpus) -> Dataset:
    return build_dataset(small_corpus, DataConfig(seed=0, max_context=8, num_queries=150))


TINY_SPACE = {
    "question": "Does a tiny study work?",
    "cells": {"context_length": [1, 4], "num_sequences": [20, 60]},
    "data": {"num_queries": 100},
    "fixed": {
        "hidden_dim": 8, "batch_size": 16, "num_negatives": 12, "max_steps": 24, "warmup_steps": 2,
        "eval_interval": 3, "device": "cpu", "precision": "float32",
    },
    "search": {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "alpha": {"choices": [0.03, 0.3]}},
    "start": [{"learning_rate": 1e-2, "alpha": 0.03}],
    "patience": {"replay": [2, 4]},
    "racing": {"num_configs": 4, "grace_evaluations": 1, "reduction_factor": 2},
    "replicates": 2,
}  # fmt: skip


@pytest.fixture
def tiny_space(tmp_path: Path) -> str:
    """A study of four cells whose trials take a fraction of a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY_SPACE))
    return str(path)


@pytest.fixture(scope="session")
def made() -> StudyRecords:
    """A made study with everything that a report shows."""
    return made_study()


@pytest.fixture(scope="session")
def made_findings(made: StudyRecords) -> Findings:
    return Findings(made)


@pytest.fixture(scope="session")
def made_page(made_findings: Findings) -> str:
    return page(made_findings)
