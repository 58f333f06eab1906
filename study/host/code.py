"""Fingerprint the code of this process; every node of a cluster must have the same."""

import hashlib
import importlib.util
import socket
from functools import cache
from pathlib import Path

from lvm_core.errors import InputError
from study.host.machine import versions

PACKAGES = ("lvm_core", "study")
SAME_EVERYWHERE = ("python", "ray", "torch", "numpy", "faiss-cpu")


@cache
def code_fingerprint() -> str:
    """Return 12 hex digits over every source file of `lvm_core` and `study`.

    Nodes compare it because they exchange trials and reports as objects. It is not in a trial's id, which contains
    the trainer's version instead: that changes only when numbers do.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        root = Path(importlib.util.find_spec(package).submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def check_code(fingerprint: str) -> None:
    """Refuse a node whose code differs from the driver's. Raises: InputError."""
    if fingerprint != code_fingerprint():
        raise InputError(
            f"every node must have the same lvm_core/ and study/, but {socket.gethostname()} has code "
            f"{code_fingerprint()}, not {fingerprint}. Install the same code on all nodes."
        )


@cache
def shared_versions() -> dict[str, str | None]:
    """Return the versions that every node must share, since they change a trial's last digits."""
    found = versions()
    return {name: found[name] for name in SAME_EVERYWHERE}


def check_versions(wanted: dict[str, str | None]) -> None:
    """Refuse a node with other versions than the driver's. Raises: InputError."""
    mine = shared_versions()
    other = [f"{key} {mine.get(key)}, not {version}" for key, version in wanted.items() if mine.get(key) != version]
    if other:
        raise InputError(
            f"every node must have the same versions, but this one has {'; '.join(other)}. Install the same Python and "
            "the packages of constraints.txt on all nodes."
        )
