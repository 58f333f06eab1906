"""The kinds of cases: each makes malformed input, gives it to the tool, and returns the exit status."""

import copy
import json
import random
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import yaml

from benchmarks.fuzz.material import Material
from benchmarks.fuzz.spoil import HOSTILE, TEXTS, spoil, spoiled
from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from lvm_core.predict import Predictor
from study import best, predict, run
from study.cli.console import open_console
from study.cli.errors import say_error
from study.corpus import __main__ as corpus
from study.driver import RunOptions
from study.lifecycle.execute import RunRequest
from study.records.columns import TABLES
from study.records.repair import set_aside
from study.records.store import RecordStore
from study.report import __main__ as report

OPTIONS = ("--corpus", "--preset", "--study", "--seed", "--protocol", "--scale", "--address", "--workers", "--budget")
OPTIONS += ("--set", "--rerun", "--resume", "--no-report", "--list", "--nonsense", "-h9")
SETTINGS = ("replicates={}", "cells.num_sequences={}", "racing={}", "search.alpha={}", "{}=1", "fixed.{}=3", "arms={}")
SPACE_NAMES = ("nonsense", "fixed", "variants", "arms", 7, "seed", "trial_time_limit", "rows", "compare", "search")
MANIFEST_NAMES = ("nonsense", "search", "compare", "variants", "splits", "near_copies", "history", "reopened", "runs")
VALUES = ("7", "quick", "30m", "a.b=c", "kalman", "kalman=", *TEXTS)
Case = Callable[[random.Random, Path, Material], int]


def plan(work: Path, material: Material, *more: str, space: Path | None = None, corpus: Path | None = None) -> int:
    """Plan a study, which must not write to its output folder."""
    line = [str(space or material.folder / "s.yaml"), "--corpus", str(corpus or material.folder / "c.npz")]
    status = run.main([*line, "--out", str(work / "out"), "--dry-run", *more])
    assert not (work / "out").exists(), "a plan wrote to the output folder"
    return status


def corpus_case(rng: random.Random, work: Path, material: Material) -> int:
    """A corpus with damaged bytes, shapes, types, keys, values or titles: planned with, or converted."""
    kind = rng.choice(["npz", "parquet", "arrays", "arrays", "arrays"])
    path = work / f"c.{'parquet' if kind == 'parquet' else 'npz'}"
    if kind == "arrays":
        np.savez(path, **hostile_arrays(rng, material))
    else:
        path.write_bytes(spoiled(material.bytes_of(path.name), rng))
    if rng.random() < 0.6:
        return plan(work, material, corpus=path)
    target = work / rng.choice(["out.npz", "out.parquet", "out.arrow", "out", "../../../sound/c.npz", "none/out.npz"])
    status = corpus.main(["convert", str(path), str(target)])
    assert status == 2 or open_corpus(str(target)).fingerprint == open_corpus(str(path)).fingerprint
    assert not [left for left in work.iterdir() if left.name.startswith(".")], "a half-written file is left"
    return status


def hostile_arrays(rng: random.Random, material: Material) -> dict[str, np.ndarray]:
    vectors, ids = material.vectors.copy(), material.ids.copy()
    vectors = rng.choice(
        [
            lambda: vectors.astype(rng.choice(["f2", "f8", "i4", "c8", "U3", "O", "bool"]), copy=True),
            lambda: vectors[: rng.randrange(80)],
            lambda: vectors[:, : rng.randrange(3)],
            lambda: vectors.reshape(rng.choice([(-1,), (1, *vectors.shape), (*vectors.shape, 1)])),
            lambda: put(vectors, rng, rng.choice([np.nan, np.inf, 0, 1e300])),
            lambda: vectors * rng.choice([1e-300, 1e30, 0, -1]),
            lambda: vectors,
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
    titles = {"chain_titles": np.array([rng.choice(TEXTS) for _ in range(rng.choice([0, 1, 60]))], rng.choice("UO"))}
    return dict(zip(keys, (vectors, ids), strict=True)) | (titles if rng.random() < 0.3 else {})


def put(vectors: np.ndarray, rng: random.Random, value: float) -> np.ndarray:
    row = rng.randrange(len(vectors))
    value = np.clip(value, -3e38, 3e38) if np.isfinite(value) else value
    vectors[row, slice(None) if value == 0 else rng.randrange(vectors.shape[1])] = value
    return vectors


def space_case(rng: random.Random, work: Path, material: Material) -> int:
    """A space file with a damaged value, key or byte."""
    content = copy.deepcopy(material.space)
    for _ in range(rng.randint(1, 3)):
        spoil(content, rng, SPACE_NAMES)
    text = yaml.safe_dump(content).encode(errors="surrogatepass")
    path = work / "s.yaml"
    path.write_bytes(spoiled(text, rng) if rng.random() < 0.3 else text)
    return plan(work, material, space=path)


def record_case(rng: random.Random, work: Path, material: Material) -> int:
    """A study with a damaged or foreign file: reading refuses it, setting it aside leaves readable records."""
    study = Path(shutil.copytree(material.folder / "study", work / "study"))
    table = rng.choice(list(TABLES))
    file = study / table / f"{'0' * 16}.parquet"
    name = rng.choice([file.name, file.name, "notes.txt", "b.parquet", "..parquet", "a b.parquet", "é\n.parquet"])
    (study / table / name).write_bytes(spoiled(file.read_bytes(), rng))
    store, refusal = RecordStore.at(study), None
    for each in TABLES:
        try:
            store.read(each)
        except InputError as error:
            refusal = error
            assert "--resume" in str(error)
    set_aside(store)
    for each in TABLES:
        store.read(each)
    if refusal is None:
        return 0
    say_error(refusal)
    return 2


def command_case(rng: random.Random, work: Path, material: Material) -> int:
    """A command line of `study.run` with random options and values."""
    line = []
    for _ in range(rng.randint(1, 4)):
        option = rng.choice(OPTIONS)
        value = str(rng.choice([*HOSTILE[:-3], *VALUES, rng.randbytes(6).decode("latin1")]))
        value = rng.choice(SETTINGS).replace("{}", value) if option == "--set" and rng.random() < 0.7 else value
        line += [option, value] if rng.random() < 0.9 else [option]
    return plan(work, material, *line)


def name_case(rng: random.Random, work: Path, material: Material) -> int:
    """A study name of arbitrary characters: it is refused, or stays within the output folder."""
    name = rng.choice([rng.choice(TEXTS), "".join(chr(rng.choice([*range(300), 0x202E, 0xDC80])) for _ in range(5))])
    return plan(work, material, f"--study={name}")


def manifest_case(rng: random.Random, work: Path, material: Material) -> int:
    """A study with a damaged manifest.json, read by `study.best` or `study.report`, or resumed."""
    content = copy.deepcopy(material.manifest)
    for _ in range(rng.randint(1, 2)):
        spoil(content, rng, MANIFEST_NAMES)
    data = json.dumps(content, default=str).encode()
    data = rng.choice([data, data, data, spoiled(data, rng), b"[" * rng.choice([10, 100_000]), b"{}", b'{"a": 1}' * 2])
    reader, whole = rng.choices(
        [(_best, "joined"), (_report, "begun"), (_report, "joined"), (_resume, "measured")], [6, 4, 0.04, 6]
    )[0]
    study = Path(shutil.copytree(material.folder / whole, work / "measured"))
    (study / "manifest.json").write_bytes(data)
    status = reader(work, study, material)
    if reader is not _resume:
        assert (study / "manifest.json").read_bytes() == data, "a reader changed the manifest"
    if status == 2:
        assert not (study / "report").exists(), "a half-written report"
    return status


def _best(_work: Path, study: Path, _material: Material) -> int:
    return best.main([str(study), "--json"])


def _report(_work: Path, study: Path, _material: Material) -> int:
    return report.main([str(study)])


def _resume(work: Path, study: Path, material: Material) -> int:
    """Resume a study as `study.run --resume` does, without its trials and its report."""
    request = RunRequest(out=str(work), resume=True, report=True, options=RunOptions(), arguments=("s", "--resume"))
    with ExitStack() as stack:
        for name, value in (("run_study", 0), ("near_copies", {}), ("_conclude", 0)):
            stack.enter_context(mock.patch(f"study.lifecycle.execute.{name}", return_value=value))
        stack.enter_context(mock.patch("study.lifecycle.start.plan_from", return_value=material.plan))
        stack.enter_context(mock.patch("study.lifecycle.start.RunRequest", return_value=request))
        return run.main(["s", "--resume"])


def model_case(rng: random.Random, work: Path, material: Material) -> int:
    """An exported model with damaged weights or config, loaded and queried."""
    folder = Path(shutil.copytree(material.folder / "model", work / "model"))
    if rng.random() < 0.5:
        content = copy.deepcopy(material.model)
        spoil(content, rng, ("nonsense", "model", "training", "dim"))
        data = json.dumps(content).encode()
        (folder / "config.json").write_bytes(spoiled(data, rng) if rng.random() < 0.3 else data)
    if rng.random() < 0.6:
        (folder / "model.safetensors").write_bytes(spoiled(material.bytes_of("model/model.safetensors"), rng))
    try:
        predictor = Predictor.load(folder)
        found = predictor.predict(material.vectors[None, :5, : predictor.dim])
    except InputError as error:
        say_error(error)
        return 2
    assert found.shape == (1, predictor.dim)
    open_console().print(str(predictor.facts))
    return 0


def document_case(rng: random.Random, work: Path, material: Material) -> int:
    """Documents with damaged bytes, keys, names and titles, cut as by `study.corpus encode`."""
    name = rng.choice(["a.md", "b.txt", "c.jsonl"])
    data = material.bytes_of(f"docs/{name}")
    if name == "c.jsonl" and rng.random() < 0.6:
        rows = [json.loads(line) for line in data.splitlines()]
        spoil(rows, rng, ("id", "title", "text"))
        data = "\n".join(json.dumps(row) for row in rows).encode()
    path = work / rng.choice([name, name, f"é {name}", f"a\n{name}", f"[b]{name}"])
    path.write_bytes(spoiled(data, rng) if rng.random() < 0.6 else data)
    source = rng.choice([path, path, work])
    more = rng.choice([[], ["--skip-bad"], ["--language", rng.choice(TEXTS)], ["--text-column", rng.choice(TEXTS)]])
    status = corpus.main(["encode", str(source), "--out", str(work / "o.npz"), "--encoder", "./no-encoder", *more])
    assert {left.name for left in work.iterdir()} == {path.name}, "a half-written corpus"
    return status


def tool_case(rng: random.Random, work: Path, material: Material) -> int:
    """A command line of `study.best`, `study.report`, `study.predict` or `study.corpus` with random values."""
    program, words = rng.choice(
        [
            (best, ("--json", "--export", "--cell", "--nonsense")),
            (report, ("--trec", "--tensorboard", "--mlflow", "--nonsense")),
            (predict, ("--corpus", "--text", "--file", "-k", "--encoder", str(material.folder / "model"))),
            (corpus, ("encode", "inspect", "convert", "--out", "--seed", "--encoder", "--language", "--device")),
        ]
    )
    line = []
    for _ in range(rng.randint(0, 5)):
        line.append(rng.choice([rng.choice(words), rng.choice(VALUES[1:]), str(rng.choice(HOSTILE[:-3]))]))
    line = [word for word in line if word not in ("kalman", "/x")]  # a valid corpus to inspect, a folder to write to
    return program.main(line)


@dataclass(frozen=True)
class Kind:
    """A kind of case. weight: its relative frequency; expensive kinds are drawn less often."""

    run: Case
    weight: float


KINDS = {
    "corpora": Kind(corpus_case, 18),
    "space files": Kind(space_case, 14),
    "records": Kind(record_case, 8),
    "manifests": Kind(manifest_case, 14),
    "models": Kind(model_case, 14),
    "documents": Kind(document_case, 12),
    "run lines": Kind(command_case, 14),
    "study names": Kind(name_case, 2),
    "other lines": Kind(tool_case, 8),
}
