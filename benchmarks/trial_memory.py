"""Compare a trial's peak memory at C=500, N=10,000 with the size of its materialised windows.

    python -m benchmarks.trial_memory [--corpus PATH]

A fresh process trains two steps and evaluates; its peak includes imports, corpus pages, activations and optimizer.
"""

import argparse

import torch

from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import build_dataset
from lvm_core.models import ModelConfig
from lvm_core.train_config import TrainConfig
from lvm_core.trainer import Trainer
from study.host.machine import hardware, peak_rss_bytes

CONTEXT, SEQUENCES = 500, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="kalman")
    options = parser.parse_args()
    torch.set_num_threads(1)
    imported = peak_rss_bytes()
    corpus = open_corpus(options.corpus)
    data = build_dataset(corpus, DataConfig(seed=0, max_context=CONTEXT, boundary="stream"))
    config = TrainConfig(
        context_length=CONTEXT, num_sequences=SEQUENCES, max_steps=2, eval_interval=2, learning_rate=1e-3
    )
    trainer = Trainer(data, ModelConfig(dim=corpus.dim, hidden_dim=256), config, seed=0)
    for _ in trainer.run():
        pass
    peak, windows = peak_rss_bytes(), SEQUENCES * CONTEXT * corpus.dim * 4
    print(f"machine: {hardware()['processor']}; corpus {options.corpus}, C={CONTEXT}, N={SEQUENCES}, GRU 256")
    print(f"materialised windows {windows / 1e6:.0f} MB; peak of the process {peak / 1e6:.0f} MB")
    print(f"(of that, imports {imported / 1e6:.0f} MB, shared corpus pages up to {corpus.vectors.nbytes / 1e6:.0f} MB)")
    print(f"ratio {peak / windows:.3f}; without imports {(peak - imported) / windows:.3f}")


if __name__ == "__main__":
    main()
