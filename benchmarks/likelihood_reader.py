"""How far a reader that is no vector gets on `kalman`: candidates ranked by likelihood, beside the oracle's cosine.

    python -m benchmarks.likelihood_reader [--max-context 32] [--num-queries 1000] [--contexts 1 4 16 32]

The likelihood ratio of a candidate is its density as the next vector, given the context, over its density as any vector
of the process. Both are known. Queries and pools are those of a study (seed 0; the defaults: `scaling --preset quick`).
"""

import argparse
from dataclasses import replace

import numpy as np

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import oracle
from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset, build_dataset
from lvm_core.evaluation import Measurement, measure_predictions
from lvm_core.kalman import KalmanModel


def likelihood_reader(dataset: Dataset, context_length: int) -> Measurement:
    """Rank every test query's candidates by their likelihood ratio, given the last C vectors."""
    model, queries = dataset.oracle, dataset.queries["test"]
    rows = queries.stream.context_rows(queries.positions, context_length)
    pool = queries.pool(dataset.corpus.vectors)
    asked, offered = ratio_as_product(model, np.take(dataset.corpus.vectors, rows, axis=0), pool.vectors)
    return measure_predictions(asked, offered[: len(asked)], replace(pool, vectors=offered))


def ratio_as_product(model: KalmanModel, context: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return [B, K + 1] and [P, K + 1] whose inner products are the log likelihood ratios but for a constant a query.

    With y the candidate in the K observed dimensions, m and S its predicted mean and covariance, M the marginal one:
    log N(y; m, S) - log N(y; 0, M) = m' S^-1 y + y' (M^-1 - S^-1) y / 2 + constant. Elsewhere both are the same noise.
    """
    mean, covariance = model.posterior(context)
    noise = model.config.noise**2 * np.eye(len(covariance))
    inverse, marginal = np.linalg.inv(covariance + noise), np.linalg.inv(np.eye(len(covariance)) + noise)
    seen = (candidates @ model.observation) * model.expected_norm
    quadratic = np.einsum("pi,ij,pj->p", seen, marginal - inverse, seen) / 2
    asked = np.concatenate([mean @ inverse, np.ones((len(mean), 1))], axis=1)
    return asked.astype(np.float32), np.concatenate([seen, quadratic[:, None]], axis=1).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-context", type=int, default=32)
    parser.add_argument("--num-queries", type=int, default=1000)
    parser.add_argument("--contexts", type=int, nargs="+", default=[1, 4, 16, 32])
    options = parser.parse_args()
    config = DataConfig(seed=0, max_context=options.max_context, num_queries=options.num_queries, exclude_context=True)
    dataset = build_dataset(open_corpus("kalman"), config)
    print(f"test Hit@5, pool {dataset.queries['test'].pool_size:,}; in brackets with a query's own context in the pool")
    for context in options.contexts:
        cosine, ratio = oracle(BaselineTask(dataset, context)).test, likelihood_reader(dataset, context)
        print(
            f"C={context:<4} oracle (cosine) {cosine.hit_at(5):.3f} ({cosine.shared_hit_at_5:.3f})   "
            f"likelihood ratio {ratio.hit_at(5):.3f} ({ratio.shared_hit_at_5:.3f})"
        )


if __name__ == "__main__":
    main()
