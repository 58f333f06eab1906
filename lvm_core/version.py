"""Tell which trainer made a number: a hash of the trainer's own source."""

import hashlib
from functools import cache
from pathlib import Path

NO_TRAINER = "predict"  # the folder of what uses finished models: no trial's numbers depend on it


@cache
def trainer_version() -> str:
    """Return 12 hex digits over every source file of `lvm_core` but those of `predict/`.

    It is part of each trial's id. A hand-kept number would be forgotten on the day it matters.
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] == NO_TRAINER:
            continue
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
