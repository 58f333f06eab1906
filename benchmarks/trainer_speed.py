"""Compare the trainer's sequences per second with the reference: same model, corpus, C=100, N=2,000, steps, threads.

    python -m benchmarks.trainer_speed [--corpus PATH] [--threads 1] [--steps 60]

Both take turns of a few steps in one process, so that a busy machine slows both equally. Both are then judged on the
same test queries and pool.
"""

import argparse
import time

import numpy as np
import torch

from benchmarks.reference_trainer import EFFECTIVE_BATCH, ReferenceTrainer, materialise
from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import build_dataset
from lvm_core.devices import resolve_precision
from lvm_core.evaluation import measure_predictions
from lvm_core.models import ModelConfig
from lvm_core.ranks import hit_at_k
from lvm_core.train_config import TrainConfig
from lvm_core.trainer import Trainer
from study.host.machine import hardware

HIDDEN_DIM, CONTEXT, SEQUENCES, SEED = 256, 100, 2000, 0
ALPHA, LEARNING_RATE = 0.3, 1e-3
TURN = 5  # steps per turn


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="kalman")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    return parser.parse_args()


def build(options: argparse.Namespace) -> tuple[Trainer, ReferenceTrainer]:
    """Build both trainers on the same training targets."""
    corpus = open_corpus(options.corpus)
    data = build_dataset(corpus, DataConfig(seed=SEED, max_context=CONTEXT))
    config = TrainConfig(
        context_length=CONTEXT, num_sequences=SEQUENCES, alpha=ALPHA, learning_rate=LEARNING_RATE,
        batch_size=EFFECTIVE_BATCH, num_negatives=224, max_steps=options.steps, warmup_steps=10,
        eval_interval=options.steps, patience=1, precision=resolve_precision("auto", "cpu"),
    )  # fmt: skip
    ours = Trainer(data, ModelConfig(dim=corpus.dim, hidden_dim=HIDDEN_DIM), config, SEED)
    targets = ours.batches.stream.rows[ours.batches.positions]
    contexts, target_vectors = materialise(np.asarray(corpus.vectors), targets, CONTEXT)
    return ours, ReferenceTrainer(contexts, target_vectors, HIDDEN_DIM, ALPHA, LEARNING_RATE, SEED)


def timed(step, turns: int) -> float:
    started = time.perf_counter()
    for _ in range(turns):
        step()
    return time.perf_counter() - started


def reference_hits(reference: ReferenceTrainer, ours: Trainer) -> np.ndarray:
    """Judge the reference on the trainer's test queries. [Q] Hit@5."""
    queries, vectors = ours.evaluator.queries["test"], ours.evaluator.vectors
    pool = queries.pool(vectors)
    reference.model.eval()
    rows = queries.stream.context_rows(queries.positions, CONTEXT)
    with torch.no_grad():
        blocks = [
            reference.model(torch.from_numpy(np.take(vectors, block, axis=0))) for block in np.array_split(rows, 20)
        ]
    prediction = torch.cat(blocks).numpy()
    measured = measure_predictions(prediction, pool.vectors[: len(prediction)], pool)
    return hit_at_k(measured.rank, measured.num_ties, 5)


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    ours, reference = build(options)
    for step in (ours.train_step, reference.step):  # warm up: lazy imports and allocations are not measured
        step()
    ours_s = reference_s = 0.0
    for _ in range((options.steps - 1) // TURN):
        ours_s += timed(ours.train_step, TURN)
        reference_s += timed(reference.step, TURN)
    sequences = (options.steps - 1) // TURN * TURN * EFFECTIVE_BATCH
    measured = ours.evaluator.measure(ours.model, "test")
    difference = hit_at_k(measured.rank, measured.num_ties, 5) - reference_hits(reference, ours)
    half_width = 1.96 * difference.std() / np.sqrt(len(difference))
    print(f"machine: {hardware()['processor']}, {options.threads} thread(s), {ours.config.precision}")
    print(f"corpus {options.corpus}, C={CONTEXT}, N={SEQUENCES}, GRU {HIDDEN_DIM}, micro-batch {ours.micro_batch_size}")
    print(f"reference {sequences / reference_s:.0f} sequences/s, trainer {sequences / ours_s:.0f} sequences/s")
    print(f"ratio {reference_s / ours_s:.2f}")
    print(f"test Hit@5: trainer {measured.hit_at(5):.4f}, difference {difference.mean():+.4f} ± {half_width:.4f}")


if __name__ == "__main__":
    main()
