"""Compare `study.corpus encode` with the encoder's own best batch rate on the same chunks.

    python -m benchmarks.encode_speed [--docs PATH] [--encoder NAME] [--chunks 1536] [--threads 2]

The reference is `SentenceTransformer.encode` on all chunks at once (it also sorts them by length), at the best of
several batch sizes. Ours includes saving every finished batch to disk. All take turns on slices of the same chunks in
one process, so that a busy machine slows all equally.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from study.corpus.batches import BATCH_SIZE, Job, encode_all
from study.corpus.chunks import MAX_WORDS, MIN_WORDS, cut
from study.corpus.documents import read_documents
from study.corpus.encoder import DEFAULT, Encoder, open_encoder
from study.host.machine import hardware

OWN_BATCH_SIZES = (16, 32, 64, 128)
SLICE = 192  # chunks per turn
OURS = "study.corpus encode"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", metavar="PATH", help="documents (default: random chunks of the README's words)")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--chunks", type=int, default=1536)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def random_chunks(count: int) -> list[str]:
    """Return chunks of about 18 words, as in books, from the README's words."""
    rng = np.random.default_rng(0)
    words = np.array(Path(__file__).parent.parent.joinpath("README.md").read_text().split())
    lengths = np.clip(rng.gamma(4, 4.5, size=count).astype(int), MIN_WORDS, MAX_WORDS)
    return [" ".join(rng.choice(words, length)) for length in lengths]


def chunks_of(docs: str, count: int) -> list[str]:
    """Return chunks drawn from documents."""
    texts = [chunk.text for document in read_documents(docs).documents for chunk in cut(document.readable)]
    return [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[:count]]


def encode_ours(encoder: Encoder, texts: list[str]) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        job = Job(texts, encoder, BATCH_SIZE[encoder.model.device.type], Path(folder) / "work")
        return np.array(encode_all(job, lambda _: None))


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    encoder = open_encoder(options.encoder)
    texts = chunks_of(options.docs, options.chunks) if options.docs else random_chunks(options.chunks)
    ways = {OURS: lambda slice_: encode_ours(encoder, slice_)}
    for size in OWN_BATCH_SIZES:
        ways[f"own, batches of {size}"] = lambda slice_, size=size: encoder.model.encode(slice_, batch_size=size)
    for way in ways.values():  # warm up: lazy imports and allocations are not measured
        way(texts[:64])
    seconds: dict[str, float] = defaultdict(float)
    cpu_s: dict[str, float] = defaultdict(float)
    for start in range(0, len(texts), SLICE):
        for name, way in ways.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            way(texts[start : start + SLICE])
            seconds[name] += time.perf_counter() - started
            cpu_s[name] += time.process_time() - cpu_started
    print(f"machine: {hardware()['processor']}, {options.threads} thread(s); {encoder.name}, {len(texts):,} chunks")
    for name in ways:
        print(f"  {name:22} {len(texts) / seconds[name]:.1f} chunks/s, {len(texts) / cpu_s[name]:.1f} per CPU second")
    for what, spent in (("clock time", seconds), ("CPU time", cpu_s)):  # CPU time is comparable on a busy machine too
        best = min((name for name in ways if name != OURS), key=spent.__getitem__)
        print(f"{what}: {spent[best] / spent[OURS]:.3f} of the best rate ({best})")


if __name__ == "__main__":
    main()
