"""Write a corpus in another format: `.npz`, a folder with a `.npy` pair, Parquet or Arrow. Values do not change."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lvm_core import corpus_files
from lvm_core.chains import check_chain_ids, run_starts
from lvm_core.corpus import EMBEDDED, open_corpus
from lvm_core.errors import InputError
from study.corpus.output import appearing, check_new, write_npz
from study.corpus.text_index import index_path

ROWS_PER_GROUP = 65_536


def convert_corpus(source: str, target: Path, say: Callable[[str], None]) -> None:
    """Read any format and write the one that the target's ending names; no ending means a folder of `.npy`.

    Raises: InputError for a source that is not a corpus, an unknown ending, or a target that exists.
    """
    writers = {".npz": write_npz, "": _write_pair, ".parquet": _write_parquet, ".arrow": _write_arrow}
    if target.suffix not in writers:
        raise InputError(
            f"a corpus can be written as .npz, .parquet, .arrow or a folder (no ending), but {target} ends in "
            f"'{target.suffix}'. Give another name."
        )
    check_new(target)
    vectors, chain_ids, titles = _read(source)
    writers[target.suffix](target, vectors, chain_ids, titles)
    say(f"wrote {target}: {len(vectors):,} vectors of {vectors.shape[1]} {vectors.dtype}")
    if source != EMBEDDED and index_path(source).is_file():
        say(
            f"its text index stays at {index_path(source)}; to show text with {target.name}, copy it to "
            f"{index_path(target)}"
        )


def _read(source: str) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    if source == EMBEDDED:
        corpus = open_corpus(EMBEDDED)
        return corpus.vectors, corpus.chain_ids, None
    open_corpus(source)  # refuses what a study would refuse
    vectors, chain_ids, titles = corpus_files.read(corpus_files.locate(source))
    check_chain_ids(chain_ids, len(vectors), source)
    if chain_ids.dtype.kind == "O":  # names from a table; an object array would need pickle
        chain_ids = chain_ids.astype(np.str_)
    return vectors, chain_ids, titles


def _write_pair(target: Path, vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None) -> None:
    with appearing(target) as staged:
        staged.mkdir()
        np.save(staged / "vectors.npy", vectors, allow_pickle=False)
        np.save(staged / "chain_ids.npy", chain_ids, allow_pickle=False)
        if titles is not None:
            np.save(staged / corpus_files.TITLES, np.array(titles, np.str_), allow_pickle=False)


def _write_parquet(target: Path, vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None) -> None:
    with appearing(target) as staged:
        pq.write_table(_table(vectors, chain_ids, titles), staged, row_group_size=ROWS_PER_GROUP)


def _write_arrow(target: Path, vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None) -> None:
    table = _table(vectors, chain_ids, titles)
    with (
        appearing(target) as staged,
        pa.OSFile(str(staged), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=ROWS_PER_GROUP)


def _table(vectors: np.ndarray, chain_ids: np.ndarray, titles: list[str] | None) -> pa.Table:
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    ids = _text(chain_ids.tolist()) if chain_ids.dtype.kind == "U" else pa.array(np.asarray(chain_ids))
    columns = {"vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]), "chain_id": ids}
    if titles is not None:
        lengths = np.diff(run_starts(np.asarray(chain_ids)))
        number = pa.array(np.repeat(np.arange(len(titles), dtype=np.int32), lengths))
        columns["chain_title"] = pa.DictionaryArray.from_arrays(number, _text(titles))
    return pa.table(columns)


def _text(names: list[str]) -> pa.Array:
    try:
        return pa.array(names)
    except UnicodeEncodeError as error:
        raise InputError(
            f"names and titles in Parquet and Arrow must be valid Unicode, but {error.object!r} contains an "
            "unpaired UTF-16 surrogate. Fix it, or convert to .npz or a folder."
        ) from error
