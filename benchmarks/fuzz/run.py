"""Run numbered cases one after another, judge each answer, and see that nothing else changed."""

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

LONGEST_S = 10.0  # of the processor, so that others who use it too make no hang
LONGEST_WALL_S = 60.0  # of a case that waits instead
DEAD_S = 300.0  # nothing that Python can interrupt took so long: the process ends with a traceback
TRACEBACK_LINES = 12
LOOK_EVERY = 20  # cases between two looks at the files that none may change


class Hung(BaseException):
    """A case that took too long. No `except Exception` of the tool can hide it."""


@dataclass
class Found:
    """Answers by (kind, answer), the wrong ones in words, and the seconds of the longest case."""

    counts: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    longest_s: float = 0.0


def in_own_folder(seed: int, numbers: range, limit_s: float) -> Found:
    """Run numbered cases in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="lvm-fuzz-") as folder:
        return run_cases(Path(folder).resolve(), seed, numbers, limit_s)


def run_cases(folder: Path, seed: int, numbers: range, limit_s: float) -> Found:
    """Run cases until the time is over, or until a file has changed that none may change."""
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
            answer, problem = answered(KINDS[kind].run, rng, folder, material)
            found.longest_s = max(found.longest_s, time.monotonic() - started)
            found.counts[kind, "wrong" if problem else answer] += 1
            if problem:
                found.wrong.append(f"case {number} ({kind}): {problem}")
            if (count % LOOK_EVERY == 0 or count == len(numbers)) and (changed := outside(folder, before)):
                found.wrong.append(f"one of the {LOOK_EVERY} cases up to {number} {changed}")
                break
        if {path: path.read_bytes() for path in before} != contents:
            found.wrong.append("a sound file has other bytes and the same time and size")
    return found


@contextlib.contextmanager
def quiet(folder: Path) -> Iterator[None]:
    """Keep converted corpora in `folder`, and the working directory deep in it, for the length of a run."""
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
    """Remove what is in a folder, but not the folder, which may be the working directory, nor names that have `but`."""
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
    """Return what changed outside of the folders that a case may write to."""
    if extra := {path.name for path in folder.iterdir()} - {"sound", "cache", "case"}:
        return f"made {sorted(extra)[0]}"
    return None if state(folder / "sound") == before else "changed a file that is not its own"


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Raise Hung in a case that takes too long; end the process where not even that can be done."""

    def ring(*_) -> None:
        raise Hung(f"over {LONGEST_S:.0f} s of the processor, or {LONGEST_WALL_S:.0f} s")

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


def answered(case, rng: random.Random, folder: Path, material: Material) -> tuple[str, str | None]:
    """Run one case; return how it ended, and what was wrong about that."""
    work = folder / "case" / "a" / "b"
    empty(work)
    empty(folder / "cache", but=EMBEDDED)
    said, told = io.StringIO(), io.StringIO()
    try:
        with guarded(), contextlib.redirect_stderr(told), contextlib.redirect_stdout(said):
            status = case(rng, work, material)
    except SystemExit as stop:
        status = stop.code
    except BaseException:
        return "", "\n".join(traceback.format_exc().splitlines()[-TRACEBACK_LINES:])
    text = told.getvalue()
    if status in (0, 1) and not text:  # 1: a study that tells of failed trials
        return "run", None
    if status == 2 and text.startswith("error: ") and text.find("\n") == len(text) - 1 and not OBEYED.search(text):
        return "refused", None
    return "", f"status {status}, told {text!r}"
