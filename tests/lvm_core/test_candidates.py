"""What each query is ranked among: no own context, the same number for all, and one of each document."""

from dataclasses import replace

import numpy as np
import pytest

from lvm_core import candidates as candidates_module
from lvm_core import retrieval
from lvm_core.corpus import Corpus, open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import build_dataset
from lvm_core.errors import InputError
from lvm_core.evaluation import measure_predictions
from lvm_core.queries import QuerySet
from lvm_core.ranks import hit_at_k
from tests.conftest import save_npz

CONTEXT = 8


@pytest.fixture(scope="module")
def copies(tmp_path_factory) -> Corpus:
    """60 documents of 20 vectors in 3 dimensions, with so few values each that copies and ties abound."""
    values = np.random.default_rng(0).integers(-1, 2, (60 * 20, 3)) + np.array([3.0, 0, 0])
    folder = tmp_path_factory.mktemp("copies")
    return open_corpus(save_npz(folder / "copies.npz", values, np.repeat(np.arange(60), 20)), folder / "cache")


def queries_of(corpus: Corpus, **options) -> QuerySet:
    return build_dataset(corpus, DataConfig(seed=0, max_context=CONTEXT, **options)).queries["test"]


def own_candidates(queries: QuerySet) -> list[list[int]]:
    """Return the candidates of each query as numbers, by the rule in plain words."""
    found, order = [], queries.candidates.positions.tolist()
    pool, reserve = order[: queries.pool_size], order[queries.pool_size :]
    for target in queries.positions.tolist():
        context = range(target - CONTEXT, target)
        kept = [position for position in pool if position not in context]
        spare = [position for position in reserve if position not in context]
        chosen = kept + spare[: len(pool) - len(kept)]
        found.append([order.index(position) for position in chosen])
    return found


def brute_force(similarity: np.ndarray, own: list[list[int]]) -> tuple[list[int], list[int]]:
    """Return ranks and ties of each query's target (candidate i of query i), counted one by one."""
    rank = [1 + sum(row[c] > row[i] for c in own[i]) for i, row in enumerate(similarity)]
    ties = [sum(row[c] == row[i] for c in own[i]) - 1 for i, row in enumerate(similarity)]
    return rank, ties


@pytest.mark.parametrize("options", [{}, {"pool_size": 150}, {"boundary": "stream", "num_queries": 40}])
def test_ranks_equal_a_brute_force_without_each_query_s_own_context(copies, options, monkeypatch):
    monkeypatch.setattr(candidates_module, "BLOCK", 16)
    monkeypatch.setattr(retrieval, "QUERY_BLOCK", 7)
    monkeypatch.setattr(retrieval, "POOL_BLOCK", 32)
    queries = queries_of(copies, exclude_context=True, **options)
    pool, own = queries.pool(copies.vectors), own_candidates(queries)
    assert {len(numbers) for numbers in own} == {queries.pool_size}
    predictions = copies.vectors[queries.stream.context_rows(queries.positions, 1)[:, 0]]
    similarity = np.round(predictions.astype(float) @ pool.vectors.astype(float).T, 6)  # so that copies tie here too
    rank, ties = pool.rank_targets(predictions, np.arange(len(predictions)))
    assert (rank.tolist(), ties.tolist()) == brute_force(similarity, own)
    assert np.mean(ties > 3) > 0.3, "ties are what the corrections must count"


def test_block_sizes_change_no_candidate(copies, monkeypatch):
    whole = queries_of(copies, exclude_context=True).candidates
    monkeypatch.setattr(candidates_module, "BLOCK", 3)
    parts = queries_of(copies, exclude_context=True).candidates
    assert whole.positions.tolist() == parts.positions.tolist()
    for name in ("query", "removed", "added"):
        assert getattr(whole.swaps, name).tolist() == getattr(parts.swaps, name).tolist()


def test_a_predictor_that_repeats_its_last_vector_finds_itself_only_if_it_is_a_candidate(small_corpus):
    queries = queries_of(small_corpus, exclude_context=True)
    vectors = small_corpus.vectors
    last = vectors[queries.stream.context_rows(queries.positions, 1)[:, 0]]
    measured = measure_predictions(last, vectors[queries.target_rows], queries.pool(vectors))
    old = queries_of(small_corpus)
    before = measure_predictions(last, vectors[old.target_rows], old.pool(vectors))
    assert (before.rank == 1).sum() == 0 < (measured.rank == 1).sum()
    assert measured.shared_hit_at_5 == pytest.approx(before.hit_at(5), abs=1e-12)
    assert before.shared_hit_at_5 is None
    assert measured.hit_at(5) > measured.shared_hit_at_5


def test_own_context_and_own_document_are_counted(small_corpus):
    queries = queries_of(small_corpus, exclude_context=True)
    own = [[queries.candidates.positions[c] for c in numbers] for numbers in own_candidates(queries)]
    pool = set(queries.candidates.positions[: queries.pool_size].tolist())
    context = [len(pool & set(range(target - CONTEXT, target))) for target in queries.positions.tolist()]
    chains = queries.stream.chain_ids
    document = [int((chains[row] == chain).sum()) for row, chain in zip(own, queries.chain_ids, strict=True)]
    assert queries.num_own_context.tolist() == context and sum(context) > 0
    assert queries.num_own_document.tolist() == document
    assert queries.document_hit_at_5 == pytest.approx(np.mean([min(1, 5 / count) for count in document]))


def test_a_pool_that_leaves_nothing_to_take_a_context_s_places_is_smaller_for_all_queries(small_corpus):
    whole = len(queries_of(small_corpus).stream.rows)
    queries = queries_of(small_corpus, exclude_context=True, num_queries=50, pool_size=whole)
    assert queries.pool_size == whole - CONTEXT
    assert {len(set(numbers)) for numbers in own_candidates(queries)} == {whole - CONTEXT}
    asked = queries_of(small_corpus, exclude_context=True, num_queries=50, pool_size=whole - CONTEXT)
    assert asked.candidates.positions.tolist() == queries.candidates.positions.tolist()


def test_the_pool_is_the_one_of_before_and_only_the_reserve_is_new(small_corpus):
    now, before = (queries_of(small_corpus, exclude_context=exclude, pool_size=300) for exclude in (True, False))
    assert now.positions.tolist() == before.positions.tolist()
    assert now.candidates.positions[:300].tolist() == before.candidates.positions.tolist()
    assert 0 < len(now.candidates.positions) - 300 <= CONTEXT
    config = DataConfig(seed=0, max_context=CONTEXT, pool_size=300)
    fingerprints = {build_dataset(small_corpus, replace(config, exclude_context=e)).fingerprint for e in (True, False)}
    assert len(fingerprints) == 2, "the two pools give a trial two ids"


def test_one_candidate_a_document_is_the_target_and_one_vector_of_every_other(tmp_path, small_file):
    with np.load(small_file) as content:
        vectors = np.concatenate([content["vectors"]] * 4) + np.repeat(np.arange(4), 2400)[:, None] / 7
    corpus = open_corpus(save_npz(tmp_path / "many.npz", vectors, np.repeat(np.arange(240), 40)), tmp_path / "cache")
    queries = queries_of(corpus, one_per_document=True, num_queries=60)
    pool, chains = queries.pool(corpus.vectors), queries.stream.chain_ids
    drawn = queries.candidates.positions[60:]
    assert sorted(chains[drawn].tolist()) == sorted(set(chains.tolist())), "one of every document of the part"
    own = [[i, *(60 + np.flatnonzero(chains[drawn] != chain))] for i, chain in enumerate(queries.chain_ids)]
    assert {len(numbers) for numbers in own} == {queries.pool_size} == {len(drawn)}
    predictions = corpus.vectors[queries.stream.context_rows(queries.positions, 1)[:, 0]]
    similarity = predictions.astype(float) @ pool.vectors.astype(float).T
    ranked = pool.rank_targets(predictions, np.arange(60))
    assert tuple(values.tolist() for values in ranked) == brute_force(similarity, own)
    assert (queries.num_own_document == 1).all()
    measured = measure_predictions(predictions, corpus.vectors[queries.target_rows], pool)
    assert measured.shared_hit_at_5 is None, "the target is not among the shared candidates"
    assert 0.1 < hit_at_k(*ranked, 5).mean() < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"at least 30 documents in each held-out part, but the validation part has 9"),
        ({"boundary": "stream"}, "boundary stream and pool_size None"),
        ({"pool_size": 100}, "boundary within and pool_size 100"),
    ],
)
def test_one_candidate_a_document_is_refused_where_it_makes_no_pool(small_corpus, options, message):
    with pytest.raises(InputError, match=message):
        queries_of(small_corpus, one_per_document=True, **options)
