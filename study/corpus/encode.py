"""Turn documents into a corpus file and its text index: read, cut, encode, write."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from study.corpus.batches import BATCH_SIZE, Job, encode_all
from study.corpus.chunks import RULES, Chunk, cut
from study.corpus.documents import Document, read_documents
from study.corpus.encoder import DEFAULT, Encoder, open_encoder
from study.corpus.output import check_new, write_npz
from study.corpus.text_index import IndexFacts, index_columns, index_path, write_index

MIN_CHUNKS = 2  # per document: with one there is nothing to predict
SHOWN = 3  # file names listed in a message


@dataclass(frozen=True, kw_only=True)
class EncodeRequest:
    """What the command line asks for."""

    source: str
    out: Path
    encoder: str = DEFAULT
    language: str = "en"
    text_column: str = "text"
    device: str = "auto"
    skip_bad: bool = False


@dataclass(frozen=True, eq=False)
class CutDocuments:
    """The usable documents and all their chunks in order. chain_of_chunk: [V] int32."""

    documents: list[Document]
    chunks: list[Chunk]
    chain_of_chunk: np.ndarray


def encode_corpus(request: EncodeRequest, say: Callable[[str], None]) -> None:
    """Write `out` and its text index. The corpus is written last, so its presence means that both are complete.

    Raises: InputError, before anything is encoded, if an output exists or a document cannot be used.
    """
    if request.out.suffix != ".npz":
        raise InputError(f"--out must end in .npz, but got {request.out}. `convert` writes the other formats.")
    check_new(request.out)
    check_new(index_path(request.out))
    material = cut_documents(request, say)
    encoder = open_encoder(request.encoder, request.device)
    texts = [chunk.text for chunk in material.chunks]
    say(f"{len(material.documents):,} documents, {len(texts):,} chunks; encoder {encoder.name}, D {encoder.dim}")
    if truncated := encoder.num_truncated(texts):
        say(f"note: {truncated:,} chunks are truncated: the encoder reads {encoder.model.max_seq_length} tokens")
    work = request.out.with_name(f".{request.out.name}.work")
    job = Job(texts, encoder, BATCH_SIZE[encoder.model.device.type], work)
    _write(request, material, encoder, encode_all(job, say))
    shutil.rmtree(work)
    say(f"wrote {request.out} and {index_path(request.out)} (the text; keep it private if only vectors may be shared)")


def cut_documents(request: EncodeRequest, say: Callable[[str], None]) -> CutDocuments:
    """Read and cut all documents; those that cannot be used are refused, or skipped with a note.

    Raises: InputError naming the first document that cannot be used, and how many there are.
    """
    reading = read_documents(request.source, request.text_column)
    if reading.ignored:
        say(f"note: ignored {_listed(reading.ignored)}: neither .txt nor .md")
    cuts = [cut(document.readable, request.language) for document in reading.documents]
    problems = {
        document.document_id: document.problem or f"must have at least {MIN_CHUNKS} chunks, but has {len(chunks)}"
        for document, chunks in zip(reading.documents, cuts, strict=True)
        if document.problem or len(chunks) < MIN_CHUNKS
    }
    _refuse_or_note(problems, len(reading.documents), request, say)
    used = [pair for pair in zip(reading.documents, cuts, strict=True) if pair[0].document_id not in problems]
    lengths = [len(chunks) for _, chunks in used]
    chain_of_chunk = np.repeat(np.arange(len(used), dtype=np.int32), lengths)
    return CutDocuments([document for document, _ in used], [c for _, chunks in used for c in chunks], chain_of_chunk)


def _refuse_or_note(problems: dict[str, str], num_documents: int, request: EncodeRequest, say) -> None:
    if not problems:
        return
    name, problem = next(iter(problems.items()))
    if not request.skip_bad or len(problems) == num_documents:
        way_out = ", or skip such documents with --skip-bad" if len(problems) < num_documents else ""
        raise InputError(
            f"a document {problem}: {name} in {request.source} ({len(problems):,} of {num_documents:,} documents "
            f"cannot be used). Fix or remove them{way_out}."
        )
    for name, problem in problems.items():
        say(f"note: skipped {name}: a document {problem}")


def _write(request: EncodeRequest, material: CutDocuments, encoder: Encoder, vectors: np.ndarray) -> None:
    """Write the index, then the corpus. A corpus that cannot be opened is not kept."""
    titles = [document.title for document in material.documents]
    names = [document.document_id for document in material.documents]
    staged = request.out.with_name(f".{request.out.name}.work") / "corpus.npz"
    write_npz(staged, vectors, material.chain_of_chunk, titles)
    facts = IndexFacts(
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        language=request.language,
        chunk_rules=RULES,
        vectors_fingerprint=open_corpus(str(staged)).fingerprint,
    )
    write_index(index_path(request.out), index_columns(material.chain_of_chunk, names, material.chunks), facts)
    staged.rename(request.out)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{len(names):,} files ({', '.join(names[:SHOWN])}{more})"
