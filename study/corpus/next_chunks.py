"""Answer which chunks of a corpus may come next after a passage."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lvm_core.corpus import Corpus, open_corpus
from lvm_core.errors import InputError
from lvm_core.predict import Router
from study.cli.exit_status import DONE
from study.corpus.chunks import cut
from study.corpus.documents import decode
from study.corpus.encoder import Encoder, open_encoder
from study.corpus.text_index import TextIndex, open_index
from study.messages.escaping import plain


@dataclass(frozen=True)
class Hit:
    """A candidate for the next chunk. score: cosine to the prediction. start, end: its characters in the document."""

    score: float
    row: int
    document: str
    start: int
    end: int
    text: str


def answer(options: argparse.Namespace) -> int:
    """Read the passage, ask the models, and print what may come next."""
    text = read_passage(options.text, options.file)
    corpus = open_corpus(options.corpus)
    index = open_index(corpus, options.corpus)
    router = Router.load(options.models).over(corpus)
    encoder = open_encoder(options.encoder or index.facts.encoder, "cpu")
    context, hits = ask(router, corpus, index, encoder, text, options.k)
    print_answer(router, context, hits)
    return DONE


def read_passage(text: str | None, path: Path | None) -> str:
    """Return the passage given, or that of a file. Raises: InputError where it is not UTF-8."""
    data = text.encode(errors="surrogateescape") if path is None else path.read_bytes()
    passage, problem = decode(data)
    if problem:
        raise InputError(f"a passage {problem}: {'--text' if path is None else path}.")
    return passage


def ask(
    router: Router, corpus: Corpus, index: TextIndex, encoder: Encoder, text: str, k: int
) -> tuple[list[str], list[Hit]]:
    """Return the chunks of the passage and the k chunks of the corpus nearest to the prediction.

    Chunks whose words are in the passage are left out: they come before, not next.
    Raises: InputError for an empty passage, or an encoder that is not the corpus's.
    """
    context = [chunk.text for chunk in cut(text, index.facts.language)]
    if not context:
        raise InputError("a passage must have at least one word, but this one has none. Add text.")
    if encoder.fingerprint != index.facts.encoder_fingerprint:
        raise InputError(
            f"the passage must be encoded with the corpus's encoder, {index.facts.encoder}, but {encoder.name} has "
            "other weights. Set --encoder to the path of the right one."
        )
    wanted = min(k + 2 * len(context), corpus.num_vectors) if k >= 1 else k  # enough even without those left out
    scores, rows = router.search(encode_alike(encoder, context), wanted)
    hits = [_hit(index, score, row) for score, row in zip(scores[0], rows[0], strict=True)]
    passage = " ".join(text.split())  # the passage may end in the middle of one of the corpus's chunks
    return context, [hit for hit in hits if hit.text not in passage][:k]


def encode_alike(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """Encode a passage and round it as a corpus file is rounded. [C, D] float32."""
    return encoder.encode(texts).astype(np.float16).astype(np.float32)


def print_answer(router: Router, context: list[str], hits: list[Hit]) -> None:
    """Print what was read and what may come next."""
    predictor = router.choose(len(context))
    read = min(len(context), predictor.context_length)
    print(f"passage of {len(context)} chunks; the model trained on C={predictor.context_length} read the last {read}")
    for place, hit in enumerate(hits, 1):
        found = f"{place}. {hit.score:.3f}  {hit.document}, characters {hit.start:,} to {hit.end:,}\n   {hit.text}"
        print(plain(found))


def _hit(index: TextIndex, score: float, row: int) -> Hit:
    return Hit(float(score), int(row), index.document(row), *index.span(row), index.text(row))
