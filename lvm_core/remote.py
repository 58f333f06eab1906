"""Fetch a corpus from an object store (`s3://bucket/my.npz`), and redact the secrets of a URI."""

import contextlib
import hashlib
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvm_core import corpus_files
from lvm_core.errors import InputError

# where a URI may hold secrets: `s3://KEY:SECRET@bucket` (a path has one slash), `?secret_key=SECRET`
LOGIN = re.compile(r"(:/+)(?:[^/\s]+|[^@\s]*:[^@\s]*)@")
SECRET = re.compile(
    r"([?&;][^=&;\s'\"]*(?:key|secret|token|passw|credential|signature)[^=&;\s'\"]*)=[^&;\s'\"]*", re.IGNORECASE
)


@dataclass(frozen=True)
class RemoteFiles:
    """The files of a corpus behind a URI. key: 16 hex digits over their addresses, sizes and times."""

    uri: str
    filesystem: Any
    paths: tuple[str, ...]
    key: str

    @property
    def name(self) -> str:
        return corpus_files.display_name([Path(f"/{self.paths[0]}")])


def is_uri(source: str) -> bool:
    return "://" in source


def without_secrets(text: str) -> str:
    """Return a command line or a sentence with the keys of any URI in it redacted."""
    return SECRET.sub(r"\1=…", LOGIN.sub(r"\1…@", text))


def find(uri: str) -> RemoteFiles:
    """Return the files of a corpus: the named one and, for a `.npy`, those beside it. Raises: InputError."""
    import pyarrow.fs as pafs  # 30 MB that local corpora do without

    try:
        filesystem, path = pafs.FileSystem.from_uri(uri)
        if filesystem.get_file_info(path).type == pafs.FileType.Directory:
            path = f"{path}/vectors.npy"
        folder = path.rpartition("/")[0]
        beside = [f"{folder}/{name}" for name in ("chain_ids.npy", corpus_files.TITLES)] if path[-4:] == ".npy" else []
        infos = [info for info in filesystem.get_file_info([path, *beside]) if info.is_file]
    except (OSError, ValueError) as error:
        raise _unreadable(uri, str(error)) from None
    if not infos or infos[0].path != path:
        raise _unreadable(uri, f"there is no {path}")
    facts = [[info.path, info.size, info.mtime_ns] for info in infos]
    digest = hashlib.blake2b(f"{without_secrets(uri)} {facts}".encode(), digest_size=8)
    return RemoteFiles(uri, filesystem, tuple(info.path for info in infos), digest.hexdigest())


@contextlib.contextmanager
def fetched(found: RemoteFiles, cache: Path) -> Iterator[Path]:
    """Copy the files into a folder of the cache, yield the copy of the first, and remove the folder at the end.

    Raises: InputError. One about the copy names the place that the copy came from.
    """
    import pyarrow.fs as pafs

    folder = cache / f".fetched-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True)
        try:
            for path in found.paths:
                pafs.copy_files(path, str(folder / Path(path).name), found.filesystem, pafs.LocalFileSystem())
        except OSError as error:
            raise _unreadable(found.uri, str(error)) from None
        yield folder / Path(found.paths[0]).name
    except InputError as error:
        place = without_secrets(found.uri).partition("?")[0].rpartition("/")[0]
        raise InputError(str(error).replace(str(folder), place)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unreadable(uri: str, problem: str) -> InputError:
    reason = " ".join(problem.split()).rstrip(".")
    return InputError(
        without_secrets(
            f"a corpus must be readable, but {uri} is not: {reason}. Check the address and the credentials on this "
            "machine (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role)."
        )
    )
