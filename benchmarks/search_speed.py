"""Time the search for one context among 1,000,000 vectors of 64 dims against the exact index, and its recall@10.

    python -m benchmarks.search_speed [--vectors 1000000] [--threads 1]

The vectors come from the embedded process. Queries are realistic: predictions for a context, by an untrained GRU (near
the last vector) and by the Kalman filter (optimal). The index is tuned on 200 predictions and judged on 500 others.
Search and exact search take turns in one process.
"""

import argparse
import time
from collections.abc import Callable

import faiss
import numpy as np
import torch

from lvm_core.corpus import Corpus
from lvm_core.kalman import KalmanConfig, KalmanModel
from lvm_core.models import ModelConfig, build_model
from lvm_core.predict import Predictor, VectorIndex
from lvm_core.predict.index import recall_at
from lvm_core.vectors import unit
from study.host.machine import hardware

DIM, CONTEXT, K, TUNED_ON, JUDGED_ON, TIMED = 64, 16, 10, 200, 500, 200
CHAIN_LENGTH = 200


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def make_corpus(num_vectors: int) -> tuple[Corpus, KalmanModel]:
    config = KalmanConfig(num_chains=num_vectors // CHAIN_LENGTH, chain_length=CHAIN_LENGTH, dim=DIM)
    model = KalmanModel.from_config(config)
    vectors, chain_ids = model.sample()
    return Corpus(
        name="kalman", path="kalman", vectors=unit(vectors), chain_ids=chain_ids, titles=None, fingerprint="benchmark"
    ), model


def draw_contexts(corpus: Corpus, count: int) -> np.ndarray:
    """Draw contexts within documents. [count, C, D]."""
    rng = np.random.default_rng(0)
    first = rng.integers(corpus.num_chains, size=count) * CHAIN_LENGTH
    rows = first + rng.integers(0, CHAIN_LENGTH - CONTEXT, size=count)
    return np.take(corpus.vectors, rows[:, None] + np.arange(CONTEXT), axis=0)


def judge(name: str, corpus: Corpus, contexts: np.ndarray, predict: Callable[[np.ndarray], np.ndarray]) -> None:
    """Build an index for one kind of query, and print its recall and times against the exact index."""
    queries = predict(contexts)
    started = time.perf_counter()
    index = VectorIndex.build(corpus.vectors, queries[:TUNED_ON])
    build_s = time.perf_counter() - started
    exact = faiss.IndexFlatIP(DIM)
    exact.add(corpus.vectors)
    judged = queries[TUNED_ON:]
    recall = recall_at(index.search(judged, K)[1], exact.search(judged, K)[1])
    ours, reference = [], []
    for context in contexts[TUNED_ON : TUNED_ON + TIMED, None]:
        started = time.perf_counter()
        index.search(predict(context), K)
        ours.append(1000 * (time.perf_counter() - started))
        started = time.perf_counter()
        exact.search(predict(context), K)
        reference.append(1000 * (time.perf_counter() - started))
    (p50, p95), exact_p50 = np.percentile(ours, [50, 95]), np.median(reference)
    times = f"median {p50:.2f} ms, 95 % {p95:.2f} ms; exact {exact_p50:.2f} ms, ratio {exact_p50 / p50:.1f}"
    print(f"{name}: {index.kind}, built in {build_s:.0f} s, recall@{K} {recall:.3f} (tuned: {index.recall:.3f})")
    print(f"  context to hits: {times}")


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    corpus, process = make_corpus(options.vectors)
    contexts = draw_contexts(corpus, TUNED_ON + JUDGED_ON)
    facts = {"training": {"context_length": CONTEXT}, "model": {"dim": DIM}}
    network = Predictor(build_model(ModelConfig(dim=DIM), seed=0).eval(), facts)
    print(f"machine: {hardware()['processor']}, {options.threads} thread(s)")
    print(f"{corpus.num_vectors:,} vectors of {DIM}, context {CONTEXT}, k={K}")
    judge("GRU", corpus, contexts, network.predict)
    judge("Kalman filter", corpus, contexts, lambda block: unit(process.predict(block)))


if __name__ == "__main__":
    main()
