"""Make trials, the disk or the code of a study fail; shared by the torture and the tests of faults."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INJECTED = Path(__file__).parent / "injected"

# kind of fault: (status, stop_reason) of its trial's row
ENDS = {
    "hang": ("timeout", "time_limit"),
    "spin": ("timeout", "time_limit"),
    "kill": ("failed", "worker_lost"),
    "oom": ("failed", "oom"),
    "grow": ("failed", "oom"),
    "nan": ("diverged", "nan"),
}


def failing(trials: dict[str, str]) -> dict[str, str]:
    """Return the environment in which confirm trials fail. trials: kind of fault by `CELL/REPLICATE`."""
    faults = ",".join(f"{kind}:{trial}" for trial, kind in trials.items())
    return dict(os.environ) | {"PYTHONPATH": str(INJECTED), "LVM_FAULT": faults}


@cache
def can_mount() -> bool:
    """Return whether this user may mount a small private file system."""
    line = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(line, capture_output=True).returncode == 0


def mounted(out: Path, options: str, then: str = "") -> tuple[str, ...]:
    """Return a command prefix that mounts a private file system on `out`, with its contents copied in and back out.

    then: shell commands to run before the command.
    """
    script = (
        f'set -e; keep=$(mktemp -d); cp -a "{out}/." "$keep"; mount -t tmpfs -o {options} tmpfs "{out}"; '
        f'cp -a "$keep/." "{out}"; {then} set +e; "$@"; status=$?; set -e; mount -o remount,rw,size=1g "{out}"; '
        f'find "$keep" -mindepth 1 -delete; cp -a "{out}/." "$keep"; umount "{out}"; '
        f'find "{out}" -mindepth 1 -delete; cp -a "$keep/." "{out}"; rm -rf "$keep"; exit $status'
    )
    return ("unshare", "-m", "sh", "-c", script, "sh")


def full_disk(out: Path, room_bytes: int) -> tuple[str, ...]:
    """Return a command prefix that fills the disk after `room_bytes`."""
    page = os.sysconf("SC_PAGE_SIZE")
    pages = sum(-(-path.stat().st_size // page) for path in out.rglob("*") if path.is_file())
    return mounted(out, f"size={pages * page + room_bytes}")


def read_only(out: Path) -> tuple[str, ...]:
    """Return a command prefix that makes `out` read-only."""
    return mounted(out, "size=1g", then=f'mount -o remount,ro "{out}";')


def other_trainer(folder: Path) -> Path:
    """Copy this project to a new folder under another version of its trainer, and return the folder."""
    for name in ("lvm_core", "study", "search_spaces"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "lvm_core" / "version.py").open("a") as version:
        version.write('\nTRAINER_VERSION = "other"\n')
    return folder
