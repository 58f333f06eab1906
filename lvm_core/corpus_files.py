"""Read the file formats of a corpus: `.npz`, a `.npy` pair, Parquet, Arrow. Reading a file runs no code from it."""

import hashlib
from pathlib import Path

import numpy as np

from lvm_core.errors import InputError

FORMATS = "a .npz, a vectors .npy with chain_ids.npy beside it, a Parquet or an Arrow file"
TITLES = "chain_titles.npy"  # optional, beside the pair
FLOATS = (np.float16, np.float32, np.float64)


def locate(source: str) -> list[Path]:
    """Return the files that make up a corpus. Raises: InputError naming the one that is missing."""
    path = Path(source)
    if path.is_dir():
        path = path / "vectors.npy"
    if not path.is_file():
        raise InputError(f"a corpus must be a readable file, but {path} is not there. Give {FORMATS}, or `kalman`.")
    if path.suffix == ".npy":
        ids = path.with_name("chain_ids.npy")
        if not ids.is_file():
            raise InputError(f"a .npy corpus must have chain_ids.npy beside it, but {ids} is not there. Put it there.")
        titles = path.with_name(TITLES)
        return [path, ids, *([titles] if titles.is_file() else [])]
    if path.suffix not in (".npz", ".parquet", ".arrow"):
        raise InputError(f"a corpus must be {FORMATS}, but {path} ends in '{path.suffix}'.")
    return [path]


def display_name(files: list[Path]) -> str:
    """Return the short name of a corpus for tables and study names."""
    stem = files[0].stem
    return files[0].resolve().parent.name if stem == "vectors" else stem


def hash_files(files: list[Path]) -> str:
    """Return 16 hex digits over the suffixes and the content of the files."""
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        digest.update(path.suffix.encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()


def read(files: list[Path]) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    """Return vectors [V, D], chain ids [V] and titles [num_chains] or None, unchanged.

    Raises: InputError for a damaged file, missing keys, or vectors that are not [V, D] floats.
    """
    path = files[0]
    try:
        if path.suffix == ".npy":
            vectors, chain_ids = (np.lib.format.open_memmap(file, mode="r") for file in files[:2])
            titles = [str(title) for title in np.load(files[2], allow_pickle=False)] if files[2:] else None
        elif path.suffix == ".npz":
            vectors, chain_ids, titles = _read_npz(path)
        else:
            vectors, chain_ids, titles = _read_table(path)
    except InputError:
        raise
    except Exception as error:  # a damaged file can raise anything in zipfile, NumPy or Arrow
        raise InputError(f"a corpus must be readable as {path.suffix}, but {path} is not: {error}") from error
    _check_vectors(vectors, path)
    return vectors, chain_ids, titles


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array, not an archive")
        _require_names(path, archive.files, ["vectors", "chain_ids"], "keys")
        titles = [str(title) for title in archive["chain_titles"]] if "chain_titles" in archive.files else None
        return archive["vectors"], archive["chain_ids"], titles


def _read_table(path: Path) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    import pyarrow as pa  # 30 MB that the other formats do without

    table = _open_table(path)
    column = table["vector"].combine_chunks()
    if not isinstance(column, (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)):
        raise InputError(f"the column `vector` must hold lists of floats, but {path} has {column.type}.")
    lengths = np.unique(np.asarray(column.value_lengths().fill_null(0))) if len(column) else np.array([0])
    if len(lengths) != 1 or column.null_count or column.flatten().null_count:
        raise InputError(
            f"every `vector` must have the same number of values and no null, but {path} has lengths "
            f"{lengths.min()} to {lengths.max()} and {column.null_count} null rows."
        )
    vectors = np.asarray(column.flatten()).reshape(len(column), int(lengths[0]))
    if table["chain_id"].null_count:
        raise InputError(f"every row must have a `chain_id`, but {path} has {table['chain_id'].null_count} nulls.")
    chain_ids = table["chain_id"].to_numpy()
    return vectors, chain_ids, _titles_of_rows(table, chain_ids)


def _open_table(path: Path):
    """Return the columns of a corpus from a Parquet or an Arrow file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    needed = ["vector", "chain_id"]
    if path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            _require_names(path, file.schema.names, needed, "columns")
            return file.read_all()
    file = pq.ParquetFile(path)
    _require_names(path, file.schema_arrow.names, needed, "columns")
    return file.read(columns=[name for name in (*needed, "chain_title") if name in file.schema_arrow.names])


def _titles_of_rows(table, chain_ids: np.ndarray) -> list[str] | None:
    """Return the title in the first row of each document, or None where the file has no titles."""
    if "chain_title" not in table.column_names or not len(chain_ids):
        return None
    first = np.concatenate([[0], np.flatnonzero(chain_ids[1:] != chain_ids[:-1]) + 1])
    return [str(title) for title in table["chain_title"].take(first).to_pylist()]


def _require_names(path: Path, found: list[str], needed: list[str], what: str) -> None:
    missing = [name for name in needed if name not in found]
    if missing:
        raise InputError(
            f"a {path.suffix} corpus must have the {what} {', '.join(needed)}, but {path} lacks "
            f"{', '.join(missing)} (it has {', '.join(found) or 'none'}). Rename or add them."
        )


def _check_vectors(vectors: np.ndarray, path: Path) -> None:
    if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.type not in FLOATS:
        raise InputError(
            f"`vectors` must be [V, D] floats (float16, float32, float64) and not empty, but {path} has "
            f"{vectors.dtype} {list(vectors.shape)}. Save one row for each chunk of text."
        )
