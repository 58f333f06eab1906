"""Check that this node can run a study's trials, and load their data."""

import socket
from functools import lru_cache

import faiss
import torch

from lvm_core.corpus import Corpus, open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset, build_dataset
from lvm_core.errors import InputError
from lvm_core.remote import without_secrets
from study.host.code import check_code
from study.plan.trial_spec import TrialSpec
from study.records.store import RecordStore


def one_thread() -> None:
    """Use one thread: two trials on one thread each are faster than one on two, and numbers do not depend on cores."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)


def check_sees(store: RecordStore) -> None:
    """Refuse a node that cannot see the study's folder. Raises: InputError."""
    if not store.exists("manifest.json"):
        raise InputError(
            f"every node must see the study's folder, but {store.root} is missing on {socket.gethostname()}. "
            "Set --out to a shared folder or s3://…"
        )


def open_same_corpus(source: str, fingerprint: str) -> Corpus:
    """Open the study's corpus on this node. Raises: InputError if it is missing or another one."""
    try:
        corpus = open_corpus(source)
    except InputError as error:
        raise InputError(f"{error} (on {socket.gethostname()})") from error
    if corpus.fingerprint != fingerprint:
        raise InputError(
            f"every node must have the same corpus, but {without_secrets(source)} on {socket.gethostname()} has the "
            f"fingerprint {corpus.fingerprint}, not {fingerprint}. Copy the file to this node again."
        )
    return corpus


@lru_cache(maxsize=4)
def _cached_dataset(source: str, corpus_fingerprint: str, config: DataConfig) -> Dataset:
    return build_dataset(open_same_corpus(source, corpus_fingerprint), config)


def load_dataset(spec: TrialSpec) -> Dataset:
    """Open the spec's corpus and rebuild its split, once per process.

    Raises: InputError if this node has another corpus or other code than the driver.
    """
    check_code(spec.code_fingerprint)
    dataset = _cached_dataset(spec.corpus, spec.corpus_fingerprint, spec.data_config())
    assert dataset.fingerprint == spec.split_fingerprint, "the split follows from the corpus and the data config"
    return dataset
