"""Fingerprint the code of this process; every node of a cluster must have the same."""

import hashlib
import importlib.util
import socket
from functools import cache
from pathlib import Path

from lvm_core.errors import InputError

PACKAGES = ("lvm_core", "study")


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
