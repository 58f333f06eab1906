"""Exported models predict as measured; routing, votes and indexes are exact where possible."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lvm_core.checkpoint import CONFIG, WEIGHTS, model_files, write_folder
from lvm_core.errors import InputError
from lvm_core.models import ModelConfig, build_model
from lvm_core.predict import Ensemble, Predictor, Router, VectorIndex
from lvm_core.predict.ensemble import fuse
from lvm_core.predict.index import recall_at
from lvm_core.predict.latency import measure_latency
from lvm_core.vectors import unit

ROOT = Path(__file__).resolve().parents[2]
DIM = 16


def write_model(folder: Path, context_length: int, *, seed: int = 0, dim: int = DIM, corpus: str = "abc") -> Path:
    config = ModelConfig(dim=dim, hidden_dim=8)
    facts = {"training": {"context_length": context_length}, "corpus": "made", "corpus_fingerprint": corpus}
    write_folder(folder, model_files(build_model(config, seed).state_dict(), config, facts))
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_model(tmp_path / "model", 4)


@pytest.fixture
def contexts() -> np.ndarray:
    return unit(np.random.default_rng(0).standard_normal((6, 9, DIM)))


def test_a_loaded_model_predicts_what_the_saved_one_did(folder, contexts):
    model = build_model(ModelConfig(dim=DIM, hidden_dim=8), 0).eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(contexts[:, -4:])).numpy()
    np.testing.assert_allclose(Predictor.load(folder).predict(contexts[:, -4:]), expected, atol=1e-6)


def test_only_the_last_vectors_of_a_longer_context_count_and_norms_do_not_matter(folder, contexts):
    predictor = Predictor.load(folder)
    np.testing.assert_array_equal(predictor.predict(contexts), predictor.predict(contexts[:, -4:]))
    np.testing.assert_allclose(predictor.predict(3 * contexts), predictor.predict(contexts), atol=1e-6)


def test_ragged_contexts_get_the_same_predictions_in_order_as_each_alone(folder, contexts):
    predictor = Predictor.load(folder)
    ragged = [contexts[0], contexts[1, :2], contexts[2, :1], contexts[3], contexts[4, :2]]
    together = predictor.predict(ragged)
    assert together.shape == (5, DIM) and together.dtype == np.float32
    np.testing.assert_allclose(together, np.concatenate([predictor.predict(one) for one in ragged]), atol=1e-6)


WRONG_CONTEXTS = {
    "another dimension": (np.ones((3, DIM + 1)), r"must be \[C, 16\]"),
    "no vectors": ([np.ones((0, DIM))], "with at least one vector"),
    "no context": ([], "at least one context"),
    "one vector alone": ([np.ones(DIM)], r"context 0 is \[16\]"),
    "NaN": (np.full((3, DIM), np.nan), "finite and non-zero"),
    "a zero vector": (np.zeros((3, DIM)), "finite and non-zero"),
}


@pytest.mark.parametrize(("context", "message"), WRONG_CONTEXTS.values(), ids=WRONG_CONTEXTS.keys())
def test_an_invalid_context_is_refused(folder, context, message):
    with pytest.raises(InputError, match=message):
        Predictor.load(folder).predict(context)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {
    "truncated weights": lambda folder: truncate(folder / WEIGHTS),
    "no weights": lambda folder: (folder / WEIGHTS).unlink(),
    "no config": lambda folder: (folder / CONFIG).unlink(),
    "config of another model": lambda folder: (folder / CONFIG).write_text('{"model": {"dim": 99}}'),
    "config without a context": lambda folder: (folder / CONFIG).write_text(
        '{"model": {"dim": 16, "hidden_dim": 8}, "training": {}}'
    ),
    "config that is a list": lambda folder: (folder / CONFIG).write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_export_is_refused_by_name(folder, damage):
    damage(folder)
    with pytest.raises(InputError, match=str(folder)):
        Predictor.load(folder)


class Payload:
    """Creates a file when unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_loading_runs_no_code_from_the_folder(folder, tmp_path):
    trace = tmp_path / "ran"
    torch.save(Payload(trace), folder / WEIGHTS)
    with pytest.raises(InputError):
        Predictor.load(folder)
    assert not trace.exists()


def test_search_returns_cosines_and_rows_of_the_nearest_vectors(folder, small_corpus):
    predictor = Predictor.load(folder).over(small_corpus)
    scores, rows = predictor.search(small_corpus.vectors[:4], k=3)
    similarity = predictor.predict(small_corpus.vectors[:4]) @ small_corpus.vectors.T
    np.testing.assert_array_equal(rows[0], np.argsort(-similarity[0])[:3])
    np.testing.assert_allclose(scores[0], np.sort(similarity[0])[::-1][:3], atol=1e-6)
    assert predictor.index.kind == "exact"
    with pytest.raises(InputError, match="but got k=2401 for 2400 vectors"):
        predictor.search(small_corpus.vectors[:4], k=2401)
    with pytest.raises(InputError, match="must have an index to search"):
        Predictor.load(folder).search(small_corpus.vectors[:4])


def test_a_corpus_of_another_dimension_is_refused(tmp_path, small_corpus):
    with pytest.raises(InputError, match="small has D=16 and the model D=8"):
        Predictor.load(write_model(tmp_path / "m", 4, dim=8)).over(small_corpus)


def test_a_large_corpus_gets_an_inverted_file_that_finds_what_the_exact_index_finds():
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((20_000, 24)))
    queries = unit(vectors[::20] + 0.3 * rng.standard_normal((1000, 24)))
    index = VectorIndex.build(vectors, queries[::2], exact_values=0)
    assert index.kind.startswith("inverted file") and index.index.nprobe < index.index.nlist
    exact = VectorIndex.build(vectors)
    assert exact.kind == "exact"
    judged = queries[1::2]
    assert recall_at(index.search(judged, 10)[1], exact.search(judged, 10)[1]) >= 0.95
    rows = index.search(judged[:2], 15_000)[1]  # more than the probed lists contain
    assert rows.min() >= 0 and len(np.unique(rows[0])) == 15_000


def test_recall_counts_the_shared_rows():
    assert recall_at(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]])) == 0.75


def test_the_router_selects_the_longest_model_that_the_context_fills(tmp_path, contexts, small_corpus):
    folders = [write_model(tmp_path / str(length), length, seed=length) for length in (8, 2, 4)]
    router = Router.load(folders).over(small_corpus)
    assert [router.choose(length).context_length for length in (1, 2, 3, 4, 7, 8, 99)] == [2, 2, 2, 4, 4, 8, 8]
    ragged = [contexts[0], contexts[1, :2], contexts[2, :5], contexts[3]]
    expected = [router.choose(len(one)).predict(one)[0] for one in ragged]
    np.testing.assert_allclose(router.predict(ragged), expected, atol=1e-6)
    scores, rows = router.search(ragged, k=3)
    np.testing.assert_array_equal(rows[2], router.choose(5).search(ragged[2], k=3)[1][0])
    assert len({id(predictor.index) for predictor in router.predictors}) == 1 and scores.shape == (4, 3)


def test_models_of_different_corpora_cannot_be_combined(tmp_path):
    folders = [write_model(tmp_path / name, 4, corpus=name) for name in ("one", "two")]
    for made in (lambda: Router.load(folders), lambda: Ensemble(tuple(map(Predictor.load, folders)))):
        with pytest.raises(InputError, match="must be of one corpus"):
            made()


def test_votes_are_weighted_reciprocal_ranks():
    first, second = np.array([[5, 6, 7]]), np.array([[7, 5, 9]])
    scores, rows = fuse([first, second], [0.5, 0.5], k=3)
    assert rows.tolist() == [[5, 7, 6]]
    np.testing.assert_allclose(scores[0], [0.5 / 61 + 0.5 / 62, 0.5 / 63 + 0.5 / 61, 0.5 / 62])
    assert fuse([first, second], [0.1, 0.9], k=2)[1].tolist() == [[7, 5]]


def test_an_ensemble_of_one_model_predicts_like_it_and_weights_must_match_the_models(folder, tmp_path, small_corpus):
    predictor = Predictor.load(folder).over(small_corpus)
    alone = Ensemble((Predictor.load(folder),)).over(small_corpus)
    context = small_corpus.vectors[40:44]
    np.testing.assert_array_equal(alone.search(context, 5)[1], predictor.search(context, 5)[1])
    other = Predictor.load(write_model(tmp_path / "other", 2, seed=3))
    heavy = Ensemble((Predictor.load(folder), other), weights=(1e6, 1.0)).over(small_corpus)
    np.testing.assert_array_equal(heavy.search(context, 5)[1], predictor.search(context, 5)[1])
    with pytest.raises(InputError, match="one positive weight for each model"):
        Ensemble((predictor,), weights=(1.0, 2.0))


def test_latency_is_measured_for_each_context_length(folder):
    measured = measure_latency(Predictor.load(folder), [1, 4])
    assert [one.context_length for one in measured] == [1, 4]
    assert all(0 < one.p50_ms <= one.p95_ms for one in measured)
