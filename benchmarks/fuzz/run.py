"""Run numbered cases one after another, check each outcome, and check that nothing else changed."""

import contextlib
import faulthandler
import io
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from benchmarks.fuzz.cases import KINDS
from benchmarks.fuzz.material import Material, prepare
from lvm_core.corpus import EMBEDDED
from study.messages.escaping import OBEYED

LONGEST_S = 10.0  # of CPU time, so that a busy machine causes no false hangs
LONGEST_WALL_S = 60.0  # of wall time, for a case that waits
DEAD_S = 300.0  # a case that Python cannot interrupt: the process ends with a traceback
TRACEBACK_LINES = 12
LOOK_EVERY = 20  # cases between checks of the files that none may change


class Hung(BaseException):
    """Raised in a case that takes too long; a BaseException, so that no `except Exception` hides it."""


@dataclass
class Found:
    """Counts by (kind, outcome), descriptions of the failures, and the seconds of the longest case."""

    counts: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def in_own_folder(seed: int, numbers: range, limit_s: float) -> Found:
    """Run numbered cases in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="lvm-fuzz-") as folder:
        return run_cases(Path(folder).resolve(), seed, numbers, limit_s)


def run_cases(folder: Path, seed: int, numbers: range, limit_s: float) -> Found:
    """Run cases until the time is up, or until a file has changed that none may change."""
    began, found = time.monotonic(), Found()
    with quiet(folder):
        material = prepare(folder / "sound")
        before = state(folder / "sound")
        contents = {path: path.read_bytes() for path in before}
        kinds, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
        for count, number in enumerate(numbers, 1):
            if time.monotonic() - began > limit_s:
                break
            rng = random.Random(f"{seed} {number}")
            kind = rng.choices(kinds, weights)[0]
            started = time.monotonic()
            outcome, problem = outcome_of(KINDS[kind].run, rng, folder, material)
            found.longest_s = max(found.longest_s, time.monotonic() - started)
            found.counts[kind, "wrong" if problem else outcome] += 1
            if problem:
                found.wrong.append(f"case {number} ({kind}): {problem}")
            if (count % LOOK_EVERY == 0 or count == len(numbers)) and (changed := outside(folder, before)):
                found.wrong.append(f"one of the {LOOK_EVERY} cases up to {number} {changed}")
                break
        if {path: path.read_bytes() for path in before} != contents:
            found.wrong.append("a valid file has changed, with the same time and size")
    return found


@contextlib.contextmanager
def quiet(folder: Path) -> Iterator[None]:
    """Within the block, cache converted corpora in `folder`, and work deep inside it."""
    old, work = Path.cwd(), folder / "case" / "a" / "b"  # a relative path such as ../../x stays in `case`
    work.mkdir(parents=True)
    (folder / "cache").mkdir()
    settings = {"LVM_CACHE_DIR": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    try:
        with mock.patch.dict(os.environ, settings), mock.patch("study.lifecycle.start.print_plan"):
            os.chdir(work)
            yield
    finally:
        os.chdir(old)
        faulthandler.cancel_dump_traceback_later()


def empty(folder: Path, but: str | None = None) -> None:
    """Empty a folder, except for names that contain `but`; the folder itself may be the working directory."""
    for entry in os.scandir(folder):
        if but is not None and but in entry.name:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


def state(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return time, size and inode of every file."""
    found = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in found.items()}


def outside(folder: Path, before: dict) -> str | None:
    """Return what changed outside the folders that a case may write to."""
    if extra := {path.name for path in folder.iterdir()} - {"sound", "cache", "case"}:
        return f"made {sorted(extra)[0]}"
    return None if state(folder / "sound") == before else "changed a file outside its folder"


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Raise Hung in a case that takes too long; if that fails, end the process."""

    def ring(*_) -> None:
        raise Hung(f"over {LONGEST_S:.0f} s of CPU time, or {LONGEST_WALL_S:.0f} s of wall time")

    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, LONGEST_S),
        (signal.ITIMER_REAL, signal.SIGALRM, LONGEST_WALL_S),
    )
    old = [signal.signal(number, ring) for _, number, _ in timers]
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    faulthandler.dump_traceback_later(DEAD_S, exit=True)
    try:
        yield
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)
        for (_, number, _), handler in zip(timers, old, strict=True):
            signal.signal(number, handler)


def outcome_of(case, rng: random.Random, folder: Path, material: Material) -> tuple[str, str | None]:
    """Run one case; return its outcome, and the problem if there is one."""
    work = folder / "case" / "a" / "b"
    empty(work)
    empty(folder / "cache", but=EMBEDDED)
    stdout, stderr = io.StringIO(), io.StringIO()
    try:
        with guarded(), contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(stdout):
            status = case(rng, work, material)
    except SystemExit as stop:
        status = stop.code
    except BaseException:
        return "", "\n".join(traceback.format_exc().splitlines()[-TRACEBACK_LINES:])
    text = stderr.getvalue()
    if status in (0, 1) and not text:  # 1: a study with failed trials
        return "run", None
    if status == 2 and text.startswith("error: ") and text.find("\n") == len(text) - 1 and not OBEYED.search(text):
        return "refused", None
    return "", f"status {status}, stderr {text!r}"
