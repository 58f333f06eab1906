"""What makes trials, the disk or the code of a study fail: shared by the torture and the tests of faults."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INJECTED = Path(__file__).parent / "injected"

# kind of fault: how the row of its trial then ends (status, stop_reason)
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
    told = ",".join(f"{kind}:{trial}" for trial, kind in trials.items())
    return dict(os.environ) | {"PYTHONPATH": str(INJECTED), "LVM_FAULT": told}


@cache
def can_mount() -> bool:
    """Return whether this user may mount a small file system of its own."""
    line = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(line, capture_output=True).returncode == 0


def mounted(out: Path, options: str, then: str = "") -> tuple[str, ...]:
    """Return what makes the command after it see `out` as a file system of its own, filled with what is there.

    then: shell commands before the command. What it leaves there is what `out` holds afterwards.
    """
    script = (
        f'set -e; keep=$(mktemp -d); cp -a "{out}/." "$keep"; mount -t tmpfs -o {options} tmpfs "{out}"; '
        f'cp -a "$keep/." "{out}"; {then} set +e; "$@"; status=$?; set -e; mount -o remount,rw,size=1g "{out}"; '
        f'find "$keep" -mindepth 1 -delete; cp -a "{out}/." "$keep"; umount "{out}"; '
        f'find "{out}" -mindepth 1 -delete; cp -a "$keep/." "{out}"; rm -rf "$keep"; exit $status'
    )
    return ("unshare", "-m", "sh", "-c", script, "sh")


def full_disk(out: Path, room_bytes: int) -> tuple[str, ...]:
    """Return what makes the command after it run out of disk once it has written so much."""
    page = os.sysconf("SC_PAGE_SIZE")
    pages = sum(-(-path.stat().st_size // page) for path in out.rglob("*") if path.is_file())
    return mounted(out, f"size={pages * page + room_bytes}")


def read_only(out: Path) -> tuple[str, ...]:
    """Return what makes the command after it unable to write to `out`."""
    return mounted(out, "size=1g", then=f'mount -o remount,ro "{out}";')


def changed_code(folder: Path) -> Path:
    """Copy this project with one more line in its trainer to a new folder, and return it."""
    for name in ("lvm_core", "study", "search_spaces"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "lvm_core" / "trainer.py").open("a") as trainer:
        trainer.write("\n# a change\n")
    return folder
