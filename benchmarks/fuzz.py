"""Throw malformed corpora, space files, records and command lines at the tool, and count how it answers.

    python -m benchmarks.fuzz --cases 100000 --minutes 10

Every case must end with exit status 2 and one sentence, or as a correct run, within 10 s, and leave every file outside
the output folder as it was. A case is a function of (seed, number), so a bad one can be run again: `--only NUMBER`.
"""

import argparse
import contextlib
import io
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import yaml

from benchmarks.torture.study import space_for
from lvm_core.errors import InputError
from lvm_core.kalman import KalmanConfig, KalmanModel
from study import run
from study.records import RecordStore
from study.repair import set_aside
from study.schema import TABLES

LONGEST_S = 10.0
HOSTILE = (
    *(None, True, -1, 0, 2**63, 10**30, -0.5, 1e308, float("nan"), float("inf"), "", "x" * 3000, "../../x", "é\n[/b]"),
    *([], {}, [[]], [None], {"a": {"b": []}}, "\0", "30m", "!!python/object/apply:os.system ['true']", [1, "1", 1.5]),
)
OPTIONS = ("--corpus", "--preset", "--study", "--seed", "--protocol", "--scale", "--address", "--workers", "--budget")
OPTIONS += ("--set", "--rerun", "--resume", "--no-report", "--list", "--nonsense", "-h9")
SETTINGS = ("replicates={}", "cells.num_sequences={}", "racing={}", "search.alpha={}", "{}=1", "fixed.{}=3", "arms={}")


def main(arguments: list[str] | None = None) -> int:
    """Run the cases and print what came of them."""
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=None)
    options = parser.parse_args(arguments)
    numbers = range(options.cases) if options.only is None else [options.only]
    with (
        tempfile.TemporaryDirectory(prefix="lvm-fuzz-") as folder,
        mock.patch.dict("os.environ", {"LVM_CACHE_DIR": f"{folder}/cache"}),
    ):
        return fuzz(Path(folder), options.seed, numbers, 60 * options.minutes)


def fuzz(folder: Path, seed: int, numbers, limit_s: float) -> int:
    """Run numbered cases until the time is over; return 1 if one was answered wrongly."""
    began, counts, wrong, longest = time.monotonic(), Counter(), [], 0.0
    material = prepare(folder)
    for number in numbers:
        if time.monotonic() - began > limit_s:
            break
        rng = random.Random(f"{seed} {number}")
        kind = rng.choice(list(KINDS))
        started = time.monotonic()
        answer, problem = answered(KINDS[kind], rng, folder, material)
        wall_s = time.monotonic() - started
        longest = max(longest, wall_s)
        problem = problem or (f"{wall_s:.1f} s" if wall_s > LONGEST_S else None)
        problem = problem or outside(folder, material)
        counts[kind, "wrong" if problem else answer] += 1
        if problem:
            wrong.append(f"case {number} ({kind}): {problem}")
    for kind in KINDS:
        print(f"{kind:13} " + ", ".join(f"{n} {a}" for (k, a), n in sorted(counts.items()) if k == kind))
    print(f"{counts.total()} cases in {time.monotonic() - began:.0f} s, longest {longest:.1f} s, {len(wrong)} wrong")
    print("\n".join(wrong[:20]))
    return 1 if wrong else 0


def prepare(folder: Path) -> dict[str, object]:
    """Write sound files, to be spoiled case by case."""
    model = KalmanModel.from_config(KalmanConfig(num_chains=60, chain_length=40, dim=16, topic_dim=2, state_dim=4))
    vectors, ids = model.sample()
    (folder / "sound").mkdir()
    np.savez(folder / "sound" / "c.npz", vectors=vectors, chain_ids=ids)
    pd.DataFrame({"vector": list(vectors), "chain_id": ids}).to_parquet(folder / "sound" / "c.parquet")
    space = space_for("kalman") | {"data": {"num_queries": 60}, "presets": {"quick": {"replicates": 1}}}
    (folder / "sound" / "s.yaml").write_text(yaml.safe_dump(space))
    store = RecordStore.at(folder / "sound" / "study")
    for table, schema in TABLES.items():
        row = dict.fromkeys(schema.names) | {"trial_id": "0" * 16}
        store.write_part(table, "0" * 16, [row])
    return {"vectors": vectors, "ids": ids, "space": space, "files": state(folder / "sound")}


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def outside(folder: Path, material: dict) -> str | None:
    """Return what changed outside of the output folder."""
    extra = {path.name for path in folder.iterdir()} - {"sound", "cache", "case", "out"}
    if extra:
        return f"made {sorted(extra)[0]}"
    return None if state(folder / "sound") == material["files"] else "changed a file that is not its own"


def answered(case, rng: random.Random, folder: Path, material: dict) -> tuple[str, str | None]:
    """Run one case; return how it ended, and what was wrong about that."""
    shutil.rmtree(folder / "case", ignore_errors=True)
    (folder / "case").mkdir()
    shutil.rmtree(folder / "cache", ignore_errors=True)
    said, told = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(said), mock.patch("study.run.print_plan"):
            status = case(rng, folder, material)
    except SystemExit as stop:
        status = stop.code
    except BaseException:
        return "", traceback.format_exc()
    text = told.getvalue()
    if status == 0:
        return "run", None
    if status == 2 and text.startswith("error: ") and text.count("\n") == 1:
        return "refused", None
    return "", f"status {status}, told {text!r}"


def plan(folder: Path, *more: str, space: Path | None = None, corpus: Path | None = None) -> int:
    line = [str(space or folder / "sound" / "s.yaml"), "--corpus", str(corpus or folder / "sound" / "c.npz")]
    return run.main([*line, "--out", str(folder / "out"), "--dry-run", *more])


def corpus_case(rng: random.Random, folder: Path, material: dict) -> int:
    """A corpus with spoiled bytes, shapes, types, keys or values."""
    kind = rng.choice(["npz", "parquet", "arrays", "arrays", "arrays"])
    path = folder / "case" / f"c.{'parquet' if kind == 'parquet' else 'npz'}"
    if kind != "arrays":
        path.write_bytes(spoiled((folder / "sound" / path.name).read_bytes(), rng))
        return plan(folder, corpus=path)
    vectors, ids = material["vectors"].copy(), material["ids"].copy()
    vectors = rng.choice(
        [
            lambda: vectors.astype(rng.choice(["f2", "f8", "i4", "c8", "U3", "O", "bool"]), copy=True),
            lambda: vectors[: rng.randrange(80)],
            lambda: vectors[:, : rng.randrange(3)],
            lambda: vectors.reshape(rng.choice([(-1,), (1, *vectors.shape), (*vectors.shape, 1)])),
            lambda: put(vectors, rng, rng.choice([np.nan, np.inf, 0, 1e300])),
            lambda: vectors * rng.choice([1e-300, 1e30, 0, -1]),
        ]
    )()
    ids = rng.choice(
        [
            lambda: ids,
            lambda: ids[: rng.randrange(len(ids))],
            lambda: ids.astype(rng.choice(["f4", "U8", "O", "u1", "bool", "M8[s]"])),
            lambda: np.arange(len(ids)) % rng.randint(1, 50),
            lambda: ids[:, None],
            lambda: ids + np.int64(2) ** 62,
        ]
    )()
    keys = rng.choice([("vectors", "chain_ids"), ("vectors", "chain_ids"), ("vector", "ids"), ("vectors", "../x")])
    np.savez(path, **dict(zip(keys, (vectors, ids), strict=True)))
    return plan(folder, corpus=path)


def put(vectors: np.ndarray, rng: random.Random, value: float) -> np.ndarray:
    row = rng.randrange(len(vectors))
    value = np.clip(value, -3e38, 3e38) if np.isfinite(value) else value
    vectors[row, slice(None) if value == 0 else rng.randrange(vectors.shape[1])] = value
    return vectors


def spoiled(data: bytes, rng: random.Random) -> bytes:
    """Return bytes cut, flipped, doubled or replaced."""
    cut = rng.randrange(len(data))
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        flipped[rng.randrange(len(data))] = rng.randrange(256)
    return rng.choice([data[:cut], bytes(flipped), data + data, rng.randbytes(cut % 999), b"", data[cut:]])


def space_case(rng: random.Random, folder: Path, material: dict) -> int:
    """A space file with a spoiled value, key or byte."""
    path = folder / "case" / "s.yaml"
    content = yaml.safe_load(yaml.safe_dump(material["space"]))
    for _ in range(rng.randint(1, 3)):
        spoil(content, rng)
    text = yaml.safe_dump(content).encode()
    path.write_bytes(spoiled(text, rng) if rng.random() < 0.3 else text)
    return plan(folder, space=path)


def spoil(content: dict, rng: random.Random) -> None:
    """Replace, remove or add a value at a random place."""
    place = content
    while isinstance(inner := place[rng.choice(list(place))], dict) and inner and rng.random() < 0.7:
        place = inner
    key = rng.choice(list(place))
    action = rng.randrange(4)
    if action == 0:
        del place[key]
        if not place:
            place["left"] = 1
    elif action == 1:
        place[rng.choice(["nonsense", "fixed", "variants", "arms", 7, "seed", "trial_time_limit"])] = rng.choice(
            HOSTILE
        )
    else:
        place[key] = rng.choice(HOSTILE)


def record_case(rng: random.Random, folder: Path, material: dict) -> int:
    """A study with a spoiled or foreign file: reading refuses, setting aside leaves readable records."""
    study = folder / "out" / "study"
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.copytree(folder / "sound" / "study", study)
    table = rng.choice(list(TABLES))
    part = study / table / f"{'0' * 16}.parquet"
    name = rng.choice([part.name, part.name, "notes.txt", "b.parquet", "..parquet", "a b.parquet"])
    (study / table / name).write_bytes(spoiled(part.read_bytes(), rng))
    store = RecordStore.at(study)
    refused = 0
    for each in TABLES:
        try:
            store.read(each)
        except InputError as error:
            refused = 1
            assert "--resume" in str(error) and "\n" not in str(error)
    set_aside(store)
    for each in TABLES:
        store.read(each)
    print("error: it refused" if refused else "", file=sys.stderr)
    return 2 if refused else 0


def command_case(rng: random.Random, folder: Path, material: dict) -> int:
    """A command line of random options and values."""
    line = []
    for _ in range(rng.randint(1, 4)):
        option = rng.choice(OPTIONS)
        value = str(rng.choice([*HOSTILE, "7", "quick", "30m", "a.b=c", "kalman=", rng.randbytes(6).decode("latin1")]))
        value = rng.choice(SETTINGS).format(value) if option == "--set" and rng.random() < 0.7 else value
        line += [option, value] if rng.random() < 0.9 else [option]
    return plan(folder, *line)


KINDS = {"corpora": corpus_case, "space files": space_case, "records": record_case, "command lines": command_case}

if __name__ == "__main__":
    sys.exit(main())
