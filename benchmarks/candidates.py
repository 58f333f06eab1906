"""What the choice of candidates is worth to predictors that train nothing: own context in or out, own document.

    python -m benchmarks.candidates [--corpus kalman] [--max-context 32] [--num-queries 1000] [--contexts 1 32]

Queries and pools are those of a study (seed 0; the defaults: `scaling --preset quick`), and both figures come from one
pass. `ratio` compares the processor time of ranking with the exchanges to the time without them.
"""

import argparse
import time

import numpy as np

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import baseline_names, measure_baseline
from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset, build_dataset
from lvm_core.retrieval import Pool

TURNS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="kalman")
    parser.add_argument("--max-context", type=int, default=32)
    parser.add_argument("--num-queries", type=int, default=1000)
    parser.add_argument("--contexts", type=int, nargs="+", default=[1, 32])
    options = parser.parse_args()
    corpus = open_corpus(options.corpus)
    config = DataConfig(seed=0, max_context=options.max_context, num_queries=options.num_queries, exclude_context=True)
    dataset = build_dataset(corpus, config)
    queries = dataset.queries["test"]
    print(
        f"{corpus.name}: {len(queries.positions):,} test queries in {len(np.unique(queries.chain_ids))} documents, "
        f"pool {queries.pool_size:,}. Mean vectors of a query's own context in the pool: "
        f"{queries.num_own_context.mean():.1f}. Mean candidates of its own document: "
        f"{queries.num_own_document.mean():.1f} (in random order: Hit@5 {queries.document_hit_at_5:.3f})"
    )
    for context in options.contexts:
        task = BaselineTask(dataset, context)
        for name in baseline_names(trains=False):
            test = measure_baseline(name, task).test
            print(
                f"  C={context:<3} {name:13} own context in {test.shared_hit_at_5:.3f}, left out {test.hit_at(5):.3f}"
            )
    print(f"  processor time of ranking, ratio to a pool without exchanges: {time_ratio(dataset):.2f}")


def time_ratio(dataset: Dataset) -> float:
    """Return the median ratio of ranking times with and without exchanges, measured in turns."""
    queries, vectors = dataset.queries["test"], dataset.corpus.vectors
    own, ratios = queries.pool(vectors), []
    plain = Pool(own.vectors[: queries.pool_size])
    last = np.take(vectors, queries.target_rows - 1, axis=0)
    for _ in range(TURNS):
        ratios.append(timed(own, last) / timed(plain, last))
    return float(np.median(ratios[1:]))


def timed(pool: Pool, predictions: np.ndarray) -> float:
    started = time.process_time()
    pool.rank_targets(predictions, np.arange(len(predictions)))
    return time.process_time() - started


if __name__ == "__main__":
    main()
