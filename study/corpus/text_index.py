"""The text index beside a corpus: the document, the character range and the words of each vector.

It is a separate Parquet file, so that the vectors can be shared without the text.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lvm_core.corpus import Corpus
from lvm_core.errors import InputError
from study.corpus.output import appearing

FACTS = b"lvm-study"  # the key of the facts in the file's metadata
SCHEMA = pa.schema(
    [
        ("chunk", pa.int64()),  # the row of the vector
        ("chain_id", pa.int32()),
        ("document", pa.string()),  # path within the folder, or id
        ("start", pa.int64()),  # character range in the document
        ("end", pa.int64()),
        ("text", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class IndexFacts:
    """How the vectors were made, and their fingerprint, to detect an index of other vectors."""

    encoder: str
    encoder_fingerprint: str
    language: str
    chunk_rules: str
    vectors_fingerprint: str


@dataclass(frozen=True, eq=False)
class TextIndex:
    """The text of every row of a corpus."""

    facts: IndexFacts
    table: pa.Table

    def text(self, row: int) -> str:
        return self.table["text"][int(row)].as_py()

    def document(self, row: int) -> str:
        return self.table["document"][int(row)].as_py()

    def span(self, row: int) -> tuple[int, int]:
        """Return the character range of a row in its document."""
        return self.table["start"][int(row)].as_py(), self.table["end"][int(row)].as_py()


def index_path(corpus: str | Path) -> Path:
    """Return the path of a corpus's text index: my.npz -> my.chunks.parquet."""
    path = Path(corpus)
    return path / "chunks.parquet" if path.is_dir() else path.with_name(f"{path.stem}.chunks.parquet")


def write_index(path: Path, columns: dict[str, object], facts: IndexFacts) -> None:
    """Write the index atomically."""
    schema = SCHEMA.with_metadata({FACTS: json.dumps(asdict(facts)).encode()})
    with appearing(path) as staged:
        pq.write_table(pa.table(columns, schema=schema), staged, compression="zstd")


def open_index(corpus: Corpus, source: str) -> TextIndex:
    """Open the text index beside a corpus. Raises: InputError if it is missing, damaged or of other vectors."""
    path = index_path(source)
    if not path.is_file():
        raise InputError(
            f"showing text needs the corpus's text index, but {path} is not there. Encode the documents with "
            "`python -m study.corpus encode`, or copy the index beside the corpus."
        )
    try:
        table = pq.read_table(path)
        facts = IndexFacts(**json.loads(table.schema.metadata[FACTS]))
        table = table.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"a text index must be a file that this tool wrote, but {path} is not: {error}") from error
    if table.num_rows != corpus.num_vectors or facts.vectors_fingerprint != corpus.fingerprint:
        raise InputError(
            f"a text index must belong to the vectors beside it, but {path} was made for others ("
            f"{table.num_rows:,} rows, {corpus.num_vectors:,} vectors). Encode the documents again."
        )
    return TextIndex(facts, table)


def index_columns(chain_of_chunk: np.ndarray, documents: list[str], chunks: list) -> dict[str, object]:
    """Return the index's columns. chain_of_chunk: [V]; documents: ids by chain; chunks: [V] Chunk."""
    return {
        "chunk": np.arange(len(chunks)),
        "chain_id": chain_of_chunk,
        "document": [documents[chain] for chain in chain_of_chunk],
        "start": [chunk.start for chunk in chunks],
        "end": [chunk.end for chunk in chunks],
        "text": [chunk.text for chunk in chunks],
    }
