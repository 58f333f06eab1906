"""Exact ranks: by hand, against brute force, and against FAISS."""

import numpy as np
import pytest

from lvm_core import retrieval
from lvm_core.errors import InputError
from lvm_core.predict import VectorIndex
from lvm_core.ranks import hit_at_k
from lvm_core.retrieval import Pool


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def test_ranks_and_ties_of_a_pool_worked_out_by_hand():
    angles = np.deg2rad([0, 10, 10, 10, 50, 90])
    pool = Pool(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    rank, ties = pool.rank_targets(np.tile(pool.vectors[0], (4, 1)), np.array([0, 1, 3, 5]))
    assert rank.tolist() == [1, 2, 2, 6]
    assert ties.tolist() == [0, 2, 2, 0]


def test_equal_candidates_tie_wherever_they_are_in_the_pool():
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((1001, 48)))
    vectors[[3, 500, 999, 1000]] = vectors[77]
    _, ties = Pool(vectors).rank_targets(unit(rng.standard_normal((300, 48))), np.full(300, 500))
    assert (ties == 4).all()


def test_ranks_equal_brute_force_in_double_precision(monkeypatch):
    monkeypatch.setattr(retrieval, "POOL_BLOCK", 64)
    rng = np.random.default_rng(1)
    vectors, predictions = unit(rng.standard_normal((200, 12))), unit(rng.standard_normal((90, 12)))
    targets = rng.integers(0, 200, 90)
    similarity = predictions.astype(float) @ vectors.astype(float).T
    expected = 1 + (similarity > similarity[np.arange(90), targets][:, None]).sum(1)
    rank, ties = Pool(vectors).rank_targets(predictions, targets)
    assert rank.tolist() == expected.tolist()
    assert not ties.any()


@pytest.mark.parametrize("k", [1, 5, 10])
def test_exact_ranks_and_faiss_agree_on_hit_at_k_for_every_query(k):
    rng = np.random.default_rng(2)
    vectors = unit(rng.standard_normal((5000, 64)))
    targets = np.arange(800)
    predictions = unit(vectors[targets] + 0.3 * rng.standard_normal((800, 64)))
    _, found = VectorIndex.build(vectors).search(predictions, k)
    hits = hit_at_k(*Pool(vectors).rank_targets(predictions, targets), k)
    assert 0.05 < hits.mean() < 0.95
    assert ((found == targets[:, None]).any(1) == hits.astype(bool)).all()


def test_k_above_the_number_of_vectors_is_refused():
    vectors = np.eye(20, dtype=np.float32)
    with pytest.raises(InputError, match="1 <= k <= vectors must hold, but got k=50 for 20 vectors"):
        VectorIndex.build(vectors).search(vectors, 50)


def test_a_non_finite_prediction_is_refused():
    with pytest.raises(ValueError, match="must be finite"):
        Pool(np.eye(3, dtype=np.float32)).rank_targets(np.full((1, 3), np.nan, np.float32), np.array([0]))
