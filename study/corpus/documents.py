"""Read documents: a folder of `.txt` and `.md`, one such file, a `.jsonl`, or a Parquet with a text column."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lvm_core.errors import InputError
from study.corpus.markdown import blank_markup

PLAIN, MARKDOWN = ".txt", ".md"
SURROGATE = re.compile("[\ud800-\udfff]")  # an unpaired surrogate: JSON can contain one, UTF-8 cannot
FORMATS = "a folder of .txt and .md, one such file, a .jsonl with `id` and `text`, or a Parquet with a text column"


@dataclass(frozen=True)
class Document:
    """One document in reading order. `problem`: why it cannot be used (rule and finding); its text is then "".

    text: the source's characters, newlines unchanged, so that character ranges apply to the source.
    readable: the same characters with Markdown markup blanked out.
    """

    document_id: str
    title: str
    text: str
    problem: str | None = None
    is_markdown: bool = False

    @property
    def readable(self) -> str:
        return blank_markup(self.text) if self.is_markdown else self.text


@dataclass(frozen=True)
class Reading:
    """The documents of a source, in order, and the files of other kinds."""

    documents: list[Document]
    ignored: list[str]


def read_documents(source: str, text_column: str = "text") -> Reading:
    """Read all documents of a source; those of a folder in the order of their paths.

    Raises: InputError for a source that is missing, damaged, of another kind or empty, or for a repeated id.
    """
    path = Path(source)
    ignored: list[str] = []
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file.relative_to(path))]
        documents = [_read_file(file, file.relative_to(path).as_posix()) for file in files if _is_text(file)]
        ignored = [file.relative_to(path).as_posix() for file in files if not _is_text(file)]
    elif path.is_file() and _is_text(path):
        documents = [_read_file(path, path.name)]
    elif path.is_file() and path.suffix == ".jsonl":
        documents = list(_read_jsonl(path, text_column))
    elif path.is_file() and path.suffix == ".parquet":
        documents = list(_read_parquet(path, text_column))
    else:
        found = f"{path} ends in '{path.suffix}'" if path.exists() else f"{path} is not there"
        raise InputError(f"documents must be {FORMATS}, but {found}.")
    if not documents:
        raise InputError(f"a source must contain at least one document, but {path} has none. Give {FORMATS}.")
    _refuse_repeated_ids(documents, path)
    return Reading(documents, ignored)


def decode(data: bytes) -> tuple[str, str | None]:
    """Return (text, None), or ("", problem) for bytes that are not UTF-8 text. A byte order mark is dropped."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", "must be UTF-8 text, but is UTF-16 (convert it: iconv -f UTF-16 -t UTF-8)"
    if b"\0" in data:
        return "", f"must be UTF-8 text, but has a NUL at byte {data.index(0):,} and is binary"
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        return "", (
            f"must be UTF-8 throughout, but line {line:,} has the byte 0x{byte:02x} in another encoding "
            "(convert it, e.g.: iconv -f WINDOWS-1252 -t UTF-8)"
        )


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in (PLAIN, MARKDOWN)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read_file(path: Path, document_id: str) -> Document:
    text, problem = decode(path.read_bytes())
    return _document(document_id, path.stem, text, problem, is_markdown=path.suffix.lower() == MARKDOWN)


def _document(
    document_id: str, title: str, text: object, problem: str | None = None, *, is_markdown: bool = False
) -> Document:
    if problem is None and not isinstance(text, str):
        problem = f"must be text, but is {type(text).__name__}"
    if problem is None and (found := SURROGATE.search(text + title + document_id)):
        escape = ascii(found[0])[1:-1]
        problem = f"must be valid Unicode, but its text, title or id contains an unpaired UTF-16 surrogate, {escape}"
    if problem is None and not text.strip():
        problem = "must have text, but is empty"
    return Document(document_id, title, "" if problem else text, problem, is_markdown)


def _read_jsonl(path: Path, text_column: str) -> Iterator[Document]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"every line of {path} must be JSON in UTF-8, but line {number} is not: {error}."
            ) from error
        if not isinstance(row, dict) or text_column not in row or "id" not in row:
            keys = ", ".join(row) if isinstance(row, dict) else "no keys"
            raise InputError(
                f"every line must have the keys id and {text_column}, but line {number} of {path} has {keys}. "
                "Name the text's key with --text-column."
            )
        yield _document(str(row["id"]), str(row.get("title") or row["id"]), row[text_column])


def _read_parquet(path: Path, text_column: str) -> Iterator[Document]:
    import pyarrow as pa  # 30 MB that the other formats do not need
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if text_column not in names:
            raise InputError(
                f"a Parquet of documents must have a text column, but {path} has no `{text_column}` (it has "
                f"{', '.join(names)}). Name it with --text-column."
            )
        known = [name for name in ("id", "title", text_column) if name in names]
        number = 0
        for batch in file.iter_batches(columns=known):
            for row in batch.to_pylist():
                document_id = str(number if row.get("id") is None else row["id"])
                yield _document(document_id, str(row.get("title") or document_id), row[text_column])
                number += 1
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} must be a readable Parquet file, but is not: {error}") from error


def _refuse_repeated_ids(documents: list[Document], path: Path) -> None:
    name, count = Counter(document.document_id for document in documents).most_common(1)[0]
    if count > 1:
        raise InputError(
            f"every document must have a unique id, but {path} has '{name}' {count} times. Rename the repeated ones."
        )
