"""Write and read the records of a study: one Parquet file per trial and table, in a folder or an object store."""

import contextlib
import io
import itertools
import json
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from lvm_core.errors import InputError
from lvm_core.remote import without_secrets
from study.records.columns import TABLES
from study.records.renames import with_current_statuses


def join(out: str, study: str) -> str:
    """Return the location of a study in a folder or under a URI; a URI keeps its options at its end."""
    if "://" not in out:
        return str(_resolved(out) / study)
    path, mark, options = out.partition("?")
    return f"{path.rstrip('/')}/{study}{mark}{options}"


def _resolved(path: str) -> Path:
    """Return an absolute path. Raises: InputError for an invalid one."""
    try:
        return Path(path).resolve()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"a folder must have a valid path, but got {path!r}: {error}.") from error


@dataclass(frozen=True)
class RecordStore:
    """The folder of one study, local or on any pyarrow filesystem (`s3://bucket/…`)."""

    filesystem: pafs.FileSystem
    root: str

    @classmethod
    def at(cls, location: str | Path) -> "RecordStore":
        """Open a folder or URI. Creates nothing."""
        text = str(location)
        if "://" in text:
            try:
                filesystem, root = pafs.FileSystem.from_uri(text)
            except (ValueError, OSError) as error:
                problem = f"a location must be a folder or a URI such as s3://bucket/x, but got {text}: {error}"
                raise InputError(without_secrets(problem)) from None
            return cls(filesystem, root.rstrip("/"))
        return cls(pafs.LocalFileSystem(), str(_resolved(text)))

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def path(self, name: str) -> str:
        """Return the path of a file of the study. Raises: InputError for a name that leaves the study's folder."""
        if ".." in name.split("/") or "\0" in name:
            raise InputError(f"a file of a study must stay in its folder, but got the name {name!r} in {self.root}.")
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        return self.filesystem.get_file_info(self.path(name)).type != pafs.FileType.NotFound

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file atomically: renamed into place, or in one PUT on an object store."""
        target = self.path(name)
        folder, _, base = target.rpartition("/")
        self.filesystem.create_dir(folder, recursive=True)
        if not self.is_local:
            # a signal between opening and writing would leave an empty object; Python handles signals in the main
            # thread, so the write runs in another one, and the main thread waits for its end even when interrupted
            with ThreadPoolExecutor(1) as writer:
                return writer.submit(self._put, target, data).result()
        staging = Path(folder) / f".{base}.{uuid.uuid4().hex[:8]}"
        try:
            staging.write_bytes(data)
            staging.replace(target)
        finally:
            staging.unlink(missing_ok=True)

    def _put(self, target: str, data: bytes) -> None:
        with self.filesystem.open_output_stream(target) as stream:
            stream.write(data)

    def read_bytes(self, name: str) -> bytes:
        with self.filesystem.open_input_stream(self.path(name)) as stream:
            return stream.read()

    def delete(self, name: str) -> None:
        """Delete one file, if it exists."""
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(name))

    def is_empty(self) -> bool:
        """Return whether the study's folder contains nothing but a lock or leases."""
        selector = pafs.FileSelector(self.root, allow_not_found=True)
        return {info.base_name for info in self.filesystem.get_file_info(selector)} <= {".lock", "drivers"}

    def remove(self) -> None:
        """Delete the whole study."""
        with contextlib.suppress(OSError):
            self.filesystem.delete_dir(self.root)

    def write_json(self, name: str, content: dict) -> None:
        self.write_bytes(name, json.dumps(content, indent=1, default=str).encode() + b"\n")

    def read_json(self, name: str) -> dict:
        try:
            return json.loads(self.read_bytes(name))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"a study must have a readable {name}, but {self.path(name)} is not: {error}") from error

    def write_record(self, table: str, trial_id: str, rows: list[dict] | dict[str, object]) -> None:
        """Write a trial's rows of one table as one file; missing columns become null."""
        schema = TABLES[table]
        arrow = pa.Table.from_pylist(rows, schema=schema) if isinstance(rows, list) else pa.table(rows, schema=schema)
        buffer = io.BytesIO()
        pq.write_table(arrow, buffer, compression="zstd", write_page_checksum=True)
        self.write_bytes(f"{table}/{trial_id}.parquet", buffer.getvalue())

    def write_trial(
        self,
        row: dict,
        curve: list[dict],
        ranks: dict[str, object] | None,
        context_use: dict[str, object] | None = None,
    ) -> None:
        """Record a trial: its row last. A trial counts only once its row is written."""
        if curve:
            self.write_record("curves", row["trial_id"], curve)
        if ranks is not None:
            self.write_record("ranks", row["trial_id"], ranks)
        if context_use is not None:
            self.write_record("context_use", row["trial_id"], context_use)
        self.write_record("trials", row["trial_id"], [row])

    def files(self, table: str) -> list[str]:
        """Return the names of the files in a table's folder, except those that Parquet readers skip."""
        selector = pafs.FileSelector(self.path(table), allow_not_found=True)
        names = (info.base_name for info in self.filesystem.get_file_info(selector))
        return sorted(name for name in names if not name.startswith((".", "_")))

    def move(self, name: str, folder: str) -> str:
        """Move a file to another folder of the study without overwriting any; return its new name."""
        moved = number_free(f"{folder}/{name}", self.exists)
        self.filesystem.create_dir(self.path(moved).rpartition("/")[0], recursive=True)
        self.filesystem.move(self.path(name), self.path(moved))
        return moved

    def move_trial(self, trial_id: str, folder: str) -> None:
        """Move all records of a trial, its row first: without its row, a trial does not count."""
        for table in TABLES:  # `trials` is the first
            name = f"{table}/{trial_id}.parquet"
            if self.exists(name):
                self.move(name, folder)

    def read(self, table: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Read one table; it is empty, with its columns, if nothing is recorded yet.

        Records of every earlier version are readable: missing columns are null, unknown columns are dropped, and old
        status names become current ones.

        Raises: InputError if a file is damaged or foreign.
        """
        return self.read_counting(table, columns)[0]

    def read_counting(self, table: str, columns: list[str] | None = None) -> tuple[pd.DataFrame, dict[str, int]]:
        """Read as `read`, and count the files of older versions that lack a column, by its name."""
        schema = TABLES[table]
        if not self.exists(table):
            return schema.empty_table().select(columns or schema.names).to_pandas(), {}
        wanted = list(dict.fromkeys([*(columns or schema.names), "trial_id"]))
        try:
            source = pq.ParquetDataset(
                self.path(table), filesystem=self.filesystem, schema=schema, page_checksum_verification=True
            )
            frame = source.read(columns=wanted).to_pandas()
            found = [set(file.physical_schema.names) for file in source.fragments]  # known since the reading
        except (pa.ArrowException, OSError, ValueError, IndexError) as error:
            raise InputError(self._damaged(table, str(error))) from error
        if frame.trial_id.isna().any():
            raise InputError(self._damaged(table, "it has rows without a trial_id."))
        frame = with_current_statuses(frame)
        missing = Counter(name for names in found for name in schema.names if name not in names)
        return frame[columns] if columns else frame, dict(missing)

    def missing_columns(self, table: str) -> dict[str, int]:
        """Return the columns that older records lack, with the number of files without each."""
        return self.read_counting(table, ["trial_id"])[1]

    def read_trial(self, table: str, trial_id: str) -> pd.DataFrame:
        """Read one trial's rows of a table. Raises: InputError if its file is missing or damaged."""
        path = self.path(f"{table}/{trial_id}.parquet")
        try:
            return pq.read_table(path, filesystem=self.filesystem, page_checksum_verification=True).to_pandas()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(self._damaged(table, str(error))) from error

    def _damaged(self, table: str, problem: str) -> str:
        reason = " ".join(problem.split())
        return (
            f"the records must be Parquet files of this tool, but one in {self.path(table)} is not: {reason} "
            "Run the study again with --resume: it moves that file to set_aside/ and repeats its trial."
        )


def number_free(name: str, taken: Callable[[str], bool]) -> str:
    """Return the name, or the first of name.1, name.2, … that is free."""
    numbered = (f"{name}.{number}" for number in itertools.count(1))
    return next(one for one in itertools.chain([name], numbered) if not taken(one))
