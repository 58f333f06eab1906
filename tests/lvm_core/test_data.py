"""Split, windows, queries and the embedded corpus: shared by every cell, and free of leaks."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from benchmarks.likelihood_reader import likelihood_reader, ratio_as_product
from lvm_core import split as split_module
from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import oracle
from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset, build_dataset
from lvm_core.errors import InputError
from lvm_core.evaluation import measure_predictions
from lvm_core.kalman import KalmanConfig, KalmanModel
from lvm_core.split import PARTS, Split, audit_leaks, find_near_copies, split_by_chain
from lvm_core.windows import Stream, coherence, nested_subset
from tests.conftest import save_npz

FRACTIONS = (0.70, 0.15, 0.15)


def test_the_split_keeps_chains_whole_and_meets_its_fractions(small_corpus):
    split = split_by_chain(small_corpus, FRACTIONS, seed=0, min_chain_length=7)
    sizes = [len(split.rows(small_corpus, part)) for part in PARTS]
    assert sum(sizes) == small_corpus.num_vectors
    assert np.array(sizes) / sum(sizes) == pytest.approx(FRACTIONS, abs=0.02)
    chains = [set(small_corpus.chain_ids[split.rows(small_corpus, part)].tolist()) for part in PARTS]
    assert not (chains[0] & chains[1] or chains[0] & chains[2] or chains[1] & chains[2])


def test_another_seed_gives_another_split(small_corpus):
    first, second = (split_by_chain(small_corpus, FRACTIONS, seed, 7).part_of_chain for seed in (0, 1))
    assert (first != second).any()


def test_three_chains_fill_three_parts_and_two_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    three = save_npz(tmp_path / "3.npz", rng.standard_normal((300, 4)), np.repeat([0, 1, 2], 100))
    assert sorted(split_by_chain(open_corpus(three), FRACTIONS, 0, 7).part_of_chain) == [0, 1, 2]
    short = save_npz(tmp_path / "2.npz", rng.standard_normal((206, 4)), np.repeat([0, 1, 2], [100, 100, 6]))
    with pytest.raises(InputError, match=r"at least 3 documents of 7 vectors or more, but 2 has 2 \(of 3 documents\)"):
        split_by_chain(open_corpus(short), FRACTIONS, 0, 7)


@pytest.mark.parametrize("boundary", ["within", "stream"])
def test_no_training_window_touches_a_held_out_chain(small_corpus, boundary):
    data = build_dataset(small_corpus, DataConfig(seed=0, max_context=8, num_queries=100, boundary=boundary))
    audit = data.audit()
    assert audit.num_leaked_vectors == 0
    assert 0 < audit.num_vectors_in_training_windows <= audit.num_train_vectors


def test_the_audit_finds_a_planted_leak(small_corpus, small_data):
    touched = small_data.train.touched(small_data.train_positions, 8, small_corpus.num_vectors)
    part = small_data.split.part_of_chain.copy()
    stolen = int(np.flatnonzero(part == PARTS.index("train"))[0])
    part[stolen] = PARTS.index("test")
    audit = audit_leaks(small_corpus, Split(part_of_chain=part), touched)
    assert audit.num_leaked_vectors == 40  # all vectors of one chain


def test_near_copies_across_the_split_are_counted_exactly_and_approximately(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    vectors, ids = rng.standard_normal((4000, 24)).astype(np.float32), np.repeat(np.arange(40), 100)
    corpus = open_corpus(save_npz(tmp_path / "plain.npz", vectors, ids))
    split = split_by_chain(corpus, FRACTIONS, 0, 7)
    train, test = split.rows(corpus, "train"), split.rows(corpus, "test")
    vectors[test[:5]] = vectors[train[:5]] * 3 + 1e-3
    copied = open_corpus(save_npz(tmp_path / "copied.npz", vectors, ids))
    found = find_near_copies(copied, split)
    assert (found.num_test, found.num_validation, found.search) == (5, 0, "exact")
    assert found.test_rows == test[:5].tolist()
    assert find_near_copies(corpus, split).num_test == 0
    monkeypatch.setattr(split_module, "EXACT_SEARCH_PRODUCTS", 0)
    approximate = find_near_copies(copied, split)
    assert approximate.num_test == 5
    monkeypatch.setattr(split_module, "MAX_NEAR_COPIES", 4)
    assert find_near_copies(copied, split).test_rows is None, "too many to keep"
    assert "lists probed" in approximate.search


def hand_stream() -> Stream:
    """Chains of 3, 4 and 2 vectors at corpus rows 10 to 18."""
    return Stream(np.arange(10, 19), np.repeat([5, 6, 7], [3, 4, 2]))


def test_windows_stay_in_their_chain_or_stream_across_it():
    stream = hand_stream()
    assert stream.eligible(2, "within").tolist() == [2, 5, 6]
    assert stream.eligible(2, "stream").tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert stream.context_rows(np.array([5, 6]), 2).tolist() == [[13, 14], [14, 15]]


def test_touched_marks_contexts_and_targets_and_nothing_else():
    marked = hand_stream().touched(np.array([2, 6]), 2, num_vectors=20)
    assert np.flatnonzero(marked).tolist() == [10, 11, 12, 14, 15, 16]


def test_gathered_contexts_are_the_vectors_before_the_target(small_corpus, small_data):
    queries = small_data.queries["test"]
    rows = queries.stream.context_rows(queries.positions, 8)
    assert (rows[:, -1] == queries.target_rows - 1).all()
    assert (np.diff(rows, axis=1) == 1).all()
    assert (small_corpus.chain_ids[rows] == queries.chain_ids[:, None]).all()


def test_smaller_training_sets_are_subsets_of_larger_ones_and_serve_every_context(small_data):
    positions = small_data.train_positions
    small, large = (nested_subset(positions, size, replicate_seed=3) for size in (50, 400))
    assert small.tolist() == large[:50].tolist()
    assert len(set(large.tolist())) == 400
    assert (small_data.train.rows[large] - small_data.train.rows[small_data.train.chain_start[large]] >= 8).all()


def test_queries_and_pool_do_not_depend_on_the_cell(small_corpus, small_data):
    again = build_dataset(small_corpus, small_data.config)
    for part in ("validation", "test"):
        assert again.queries[part].target_rows.tolist() == small_data.queries[part].target_rows.tolist()
        assert again.queries[part].candidate_rows[:150].tolist() == again.queries[part].target_rows.tolist()
    assert again.fingerprint == small_data.fingerprint


@dataclass(frozen=True, kw_only=True)
class LaterConfig(DataConfig):
    """A DataConfig with a key that was added after the first ids were recorded."""

    shift: int = 0


def made_dataset(config: DataConfig) -> Dataset:
    stream = Stream(np.arange(4), np.zeros(4, np.int64))
    return Dataset(
        corpus=None, config=config, split=None, train=stream, train_positions=np.arange(4), queries={}, num_incoherent=0
    )


def test_a_data_key_added_later_changes_the_fingerprint_only_if_it_is_not_its_default():
    today = made_dataset(DataConfig(seed=0, max_context=4)).fingerprint
    assert today == "a4bf5ed6a15853f3", "the fingerprint of every earlier version"
    assert made_dataset(LaterConfig(seed=0, max_context=4)).fingerprint == today
    assert made_dataset(LaterConfig(seed=0, max_context=4, shift=1)).fingerprint != today


def test_a_larger_pool_is_filled_from_the_same_part(small_corpus):
    data = build_dataset(small_corpus, DataConfig(seed=0, max_context=8, num_queries=100, pool_size=250))
    queries = data.queries["test"]
    assert len(set(queries.candidate_rows.tolist())) == 250
    assert set(queries.candidate_rows.tolist()) <= set(queries.stream.rows.tolist())
    with pytest.raises(InputError, match=r"data\.pool_size must lie between the 100 queries and the \d+ vectors"):
        build_dataset(small_corpus, replace(data.config, pool_size=100_000))


def test_fewer_than_thirty_queries_are_refused(small_corpus):
    with pytest.raises(InputError, match="must have at least 30 queries, but found 9"):
        build_dataset(small_corpus, DataConfig(seed=0, max_context=39, num_queries=100))


def test_the_coherence_gate_removes_windows_below_its_threshold_and_counts_them(small_corpus, small_data):
    stream, positions = small_data.train, small_data.train_positions
    measured = coherence(small_corpus, stream, positions, 8)
    window = small_corpus.vectors[np.append(stream.context_rows(positions[7:8], 8)[0], stream.rows[positions[7]])]
    assert measured[7] == pytest.approx((window[1:] * window[:-1]).sum(1).mean(), abs=1e-6)
    threshold = float(np.median(measured))
    gated = build_dataset(small_corpus, replace(small_data.config, min_coherence=threshold))
    assert gated.removed()["incoherent_training_windows"] == (measured < threshold).sum()
    assert len(gated.train_positions) == (measured >= threshold).sum()


def test_short_chains_are_dropped_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    lengths = [60] * 12 + [6, 3]
    ids = np.repeat(np.arange(14), lengths)
    corpus = open_corpus(save_npz(tmp_path / "short.npz", rng.standard_normal((len(ids), 4)), ids))
    data = build_dataset(corpus, DataConfig(seed=0, max_context=4, num_queries=50))
    assert data.removed()["chains_too_short"] == 2
    assert data.audit().num_dropped_vectors == 9


@pytest.fixture(scope="module")
def kalman_hits() -> dict[int, float]:
    """The oracle's Hit@5 on the embedded corpus, by context length."""
    corpus = open_corpus("kalman")
    data = build_dataset(corpus, DataConfig(seed=0, max_context=64))
    queries = data.queries["test"]
    pool = queries.pool(corpus.vectors)
    hits = {}
    for length in (1, 4, 64):
        contexts = np.take(corpus.vectors, queries.stream.context_rows(queries.positions, length), axis=0)
        prediction = corpus.oracle.predict(contexts).astype(np.float32)
        hits[length] = measure_predictions(prediction, pool.vectors[: len(prediction)], pool).hit_at(5)
    return hits


def test_context_is_worth_fifteen_points_to_the_oracle_on_the_embedded_corpus(kalman_hits):
    assert kalman_hits[64] - kalman_hits[1] >= 0.15
    assert kalman_hits[64] > 0.5
    assert kalman_hits[1] < kalman_hits[4] < kalman_hits[64]


def test_no_linear_predictor_beats_the_kalman_filter_on_fresh_data():
    model = KalmanModel.from_config(KalmanConfig(num_chains=4000, chain_length=6, dim=16, topic_dim=2, state_dim=4))
    vectors, _ = model.sample()
    raw = vectors.reshape(4000, 6, 16).astype(np.float64)
    unit = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
    context, target = unit[:, 2:5], raw[:, 5]
    features = context.reshape(4000, -1)
    fit, *_ = np.linalg.lstsq(features[:3000], target[:3000], rcond=None)
    linear = ((features[3000:] @ fit - target[3000:]) ** 2).sum(1)
    oracle = ((model.predict(context[3000:]) - target[3000:]) ** 2).sum(1)
    assert oracle.mean() <= linear.mean()


def test_a_reader_that_ranks_candidates_by_their_likelihood_beats_the_best_known_vector():
    """So the oracle bounds models that predict a vector, and nothing else."""
    data = build_dataset(open_corpus("kalman"), DataConfig(seed=0, max_context=16, num_queries=500))
    vector, ratio = oracle(BaselineTask(data, 16)).test.hit_at(5), likelihood_reader(data, 16).hit_at(5)
    assert ratio > vector + 0.05


def test_the_likelihood_reader_s_product_is_the_log_likelihood_ratio_but_for_a_constant():
    model = KalmanModel.from_config(KalmanConfig(dim=8, topic_dim=2, state_dim=4))
    rng = np.random.default_rng(0)
    context, candidates = rng.standard_normal((1, 5, 8)), rng.standard_normal((20, 8))
    mean, covariance = model.posterior(context)
    noise = model.config.noise**2 * np.eye(8)
    spread = [model.observation @ inner @ model.observation.T + noise for inner in (covariance, np.eye(6))]
    raw = candidates * model.expected_norm
    expected = multivariate_normal.logpdf(raw, model.observation @ mean[0], spread[0])
    expected -= multivariate_normal.logpdf(raw, np.zeros(8), spread[1])
    asked, offered = ratio_as_product(model, context, candidates)
    difference = offered @ asked[0] - expected
    assert difference == pytest.approx(difference[0], abs=1e-3)
    assert np.ptp(expected) > 1
