"""Shared fixtures: small made corpora, a private cache, two small studies."""

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lvm_core.corpus import Corpus, open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset, build_dataset
from lvm_core.kalman import KalmanConfig, KalmanModel
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.report.page import page
from tests.made_report import made_study
from tests.studies import SMALL_SPACE, TINY_SPACE, complete, save_space

torch.set_num_threads(1)


STUDY_FIXTURES = {"finished", "sound", "broken", "watched", "machines", "cluster"}  # each runs a study under Ray


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start Ray, and put files with slow tests first, so that no long one begins at the end."""
    for item in items:
        if STUDY_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.ray)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep converted corpora out of the user's cache, for this process and those that it starts.

    Ray would run workers at a lower priority than the other process of these tests, which starves them on two cores.
    """
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_worker_niceness", "0")
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


@pytest.fixture
def tiny_space(tmp_path: Path) -> str:
    """A study of four cells whose trials take a fraction of a second."""
    return save_space(TINY_SPACE, tmp_path / "tiny.yaml")


def made_once(tmp_path_factory: pytest.TempPathFactory, space: dict, corpus: str, *more: str, study: str) -> Path:
    """Return the output folder of an undisturbed study, run by the first of pytest's processes that asks for it.

    What it printed is in `said.txt` there, written when it has ended.
    """
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"undisturbed_{study}"
    out.mkdir(exist_ok=True)
    with (out / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "said.txt").exists():
            done = complete(save_space(space, out / f"{study}.yaml"), corpus, out, *more, study=study)
            (out / "said.txt").write_text(done.stdout)
    return out


@pytest.fixture(scope="session")
def space(tmp_path_factory) -> str:
    """The space file of the study `tiny`."""
    return save_space(TINY_SPACE, tmp_path_factory.mktemp("space") / "tiny.yaml")


@pytest.fixture(scope="session")
def finished(small_file, tmp_path_factory) -> tuple[Path, str]:
    """An undisturbed study with a search, whose records are only to be read, and what it printed."""
    out = made_once(tmp_path_factory, TINY_SPACE, small_file, "--workers", "2", study="tiny")
    return out / "tiny", (out / "said.txt").read_text()


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> str:
    """The space file of the study `s`."""
    return save_space(SMALL_SPACE, tmp_path_factory.mktemp("space") / "small.yaml")


@pytest.fixture(scope="session")
def sound(small_file, tmp_path_factory) -> Path:
    """The output folder of an undisturbed study without a search, whose records are only to be read."""
    return made_once(tmp_path_factory, SMALL_SPACE, small_file, "--no-report", study="s")


@pytest.fixture(scope="session")
def made() -> StudyRecords:
    """A made study with everything that a report shows."""
    return made_study()


@pytest.fixture(scope="session")
def made_evidence(made: StudyRecords) -> Evidence:
    return Evidence(made)


@pytest.fixture(scope="session")
def made_page(made_evidence: Evidence) -> str:
    return page(made_evidence)
