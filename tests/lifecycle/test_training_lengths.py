"""The manifest has the lengths of the training documents, and the corpus line counts the windows that they hold."""

import numpy as np
import pytest

from lvm_core.corpus import open_corpus
from lvm_core.dataset import DataConfig, build_dataset
from study.analysis.windows import TrainingPart
from study.lifecycle.manifest import describe_split, train_lengths
from study.records.manifest import RecordedSplit
from study.report.findings.corpus_line import corpus_line, corpus_note
from tests.conftest import save_npz
from tests.manifests import changed


@pytest.fixture
def uneven(tmp_path):
    """A corpus of 60 documents of 10 vectors and 40 of 25, in turn."""
    lengths = np.array([10, 25, 10, 25, 10] * 20)
    vectors = np.random.default_rng(0).normal(size=(lengths.sum(), 8)).astype(np.float32)
    return open_corpus(save_npz(tmp_path / "uneven.npz", vectors, np.repeat(np.arange(100), lengths)))


def test_the_lengths_of_the_training_documents_are_counted(uneven):
    data = build_dataset(uneven, DataConfig(seed=0, max_context=4))
    found = train_lengths(data)
    in_training = np.diff(uneven.chain_starts)[data.split.part_of_chain == 0]
    assert found == {"10": int((in_training == 10).sum()), "25": int((in_training == 25).sum())}
    assert sum(int(length) * count for length, count in found.items()) == len(data.train.rows)


def test_windows_that_cross_documents_are_cut_from_one_stretch(uneven):
    data = build_dataset(uneven, DataConfig(seed=0, max_context=4, train_boundary="stream"))
    assert train_lengths(data) == {str(len(data.train.rows)): 1}


@pytest.mark.parametrize("boundary", ["within", "stream"])
def test_the_recorded_lengths_give_the_windows_that_the_trainer_finds(uneven, made, boundary):
    data = build_dataset(uneven, DataConfig(seed=0, max_context=4, boundary=boundary))
    recorded = RecordedSplit.model_validate(describe_split(data, "controlled"))
    study = changed(made, split={"train_lengths": recorded.train_lengths})
    contexts = np.array([1, 4, 9, 10, 24, 25])
    counted = TrainingPart.of_study(study).num_windows(contexts, overlap=1.0)  # a window at every position
    assert counted.tolist() == [len(data.train.eligible(context, boundary)) for context in contexts]


def test_a_study_without_lengths_counts_one_stretch_and_says_so(made):
    lengths = {"train_lengths": {"100": 1000}}  # as many vectors as the made study has
    known, axes = changed(made, split=lengths), ([1, 64], [125, 8000])
    assert made.num_training_vectors == TrainingPart.of_study(known).num_vectors == 100_000
    assert "(an upper bound: this study does not record where documents end)" in corpus_note(made, *axes)
    assert "3,123 at C=64" in corpus_note(made, *axes), "99,935 // 32 + 1"
    assert "2,000 at C=64" in corpus_note(known, *axes), "35 // 32 + 1 in each document"
    assert "upper bound" not in corpus_note(known, *axes)
    assert [line.x for line in corpus_line(made, *axes)] != [line.x for line in corpus_line(known, *axes)]


def test_lengths_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="train_lengths"):
        RecordedSplit(train_lengths={"ten": 3})
