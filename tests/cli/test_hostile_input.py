"""Any input to the command line gives a correct run, or exit status 2 and one sentence; never a traceback."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks.fuzz.run import run_cases
from lvm_core.checkpoint import model_files, write_folder
from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from lvm_core.models import ModelConfig, build_model
from lvm_core.predict import Predictor
from study import run
from study.lifecycle import start
from study.lifecycle.start import STUDY_NAME
from study.messages.durations import parse_duration
from study.records.manifest import ResumableManifest
from study.records.repair import set_aside
from study.records.store import RecordStore, join
from tests.manifests import content
from tests.studies import TINY_SPACE

quick = settings(
    max_examples=60, deadline=10_000, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("30m")
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
KEYS = [
    "seed",
    "cells",
    "data",
    "fixed",
    "search",
    "arms",
    "racing",
    "replicates",
    "patience",
    "variants",
    "points_to_evaluate",
    "start",
]
KEYS += ["trial_time_limit", "compare", "scale", "protocol", "corpus", "presets", "question"]


@pytest.fixture
def answer(tmp_path, small_file, capsys, monkeypatch):
    """Plan a study and return its exit status, after checking its stderr and that it wrote nothing."""
    monkeypatch.setattr(start, "print_plan", lambda *_: None)  # reading a space needs no measured training steps
    sound = tmp_path / "sound.yaml"
    sound.write_text(yaml.safe_dump(TINY_SPACE))

    def plan(*more: str, space: Path = sound, corpus: str = small_file) -> int:
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        status = run.main([str(space), "--corpus", corpus, "--out", str(tmp_path / "out"), "--dry-run", *more])
        err = capsys.readouterr().err
        assert status in (0, 2)
        assert (err.startswith("error: "), err.count("\n")) == ((True, 1) if status else (False, 0)), err
        assert sorted(tmp_path.rglob("*")) == before
        return status

    return plan


@quick
@given(key=st.sampled_from(KEYS), value=VALUE)
def test_any_value_of_a_space_file_is_accepted_or_refused(answer, tmp_path, key, value):
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump({**TINY_SPACE, key: value}))
    answer(space=path)


@quick
@given(
    text=st.text(max_size=60)
    | st.sampled_from(["!!python/object/apply:os.system ['touch owned']", "&a [*a]", "{", "- a: b: c"])
)
def test_any_text_as_a_space_file_is_refused_and_runs_no_code(answer, tmp_path, text):
    path = tmp_path / "case.yaml"
    path.write_text(
        text, encoding="utf-8", errors="surrogatepass" if "\ud800" <= max(text, default="") <= "\udfff" else "strict"
    )
    assert answer(space=path) == 2


@quick
@given(data=st.data())
def test_any_arrays_as_a_corpus_are_accepted_or_refused(answer, tmp_path, data):
    kinds = (
        arrays.floating_dtypes() | arrays.integer_dtypes() | arrays.unicode_string_dtypes() | arrays.boolean_dtypes()
    )
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=30)
    draw = lambda: data.draw(arrays.arrays(kinds, shapes))  # noqa: E731
    keys = data.draw(st.sampled_from([("vectors", "chain_ids"), ("vectors", "chain_ids"), ("vectors", "x")]))
    np.savez(tmp_path / "case.npz", **dict(zip(keys, (draw(), draw()), strict=True)))
    answer(corpus=str(tmp_path / "case.npz"))


@quick
@given(name=st.text(max_size=30) | st.sampled_from(["..", "../x", "a/../../x", "/etc", ".", "-x", "a\n", "x" * 200]))
def test_a_study_name_cannot_leave_the_output_folder(answer, tmp_path, name):
    status = answer(f"--study={name}")
    if STUDY_NAME.fullmatch(name):
        assert status == 0
        assert Path(join(str(tmp_path), name)).parent == tmp_path
    else:
        assert status == 2 or name == ""  # an empty name: the study is named after space and corpus


@quick
@given(setting=st.text(max_size=30) | st.tuples(st.sampled_from(KEYS), VALUE).map(lambda pair: f"{pair[0]}={pair[1]}"))
def test_any_setting_is_accepted_or_refused(answer, setting):
    answer(f"--set={setting}")


@quick
@given(text=st.text(alphabet="0123456789.hms٣- ", max_size=12))
def test_a_duration_is_seconds_above_zero_or_refused(answer, text):
    if answer(f"--budget={text}") == 0:
        assert parse_duration(text) > 0 and re.fullmatch(r"[0-9.hms]+", text)


@quick
@given(content=st.binary(max_size=80), name=st.sampled_from(["x.parquet", f"{'0' * 16}.parquet", "notes", "a.txt"]))
def test_any_bytes_among_the_records_are_quarantined_unchanged(tmp_path_factory, content, name):
    store = RecordStore.at(tmp_path_factory.mktemp("study"))
    store.write_bytes(f"trials/{name}", content)
    assert len(set_aside(store)[0]) == 1
    assert store.read("trials").empty
    assert store.read_bytes(f"set_aside/trials/{name}") == content


def test_two_foreign_parquet_files_of_the_same_name_are_both_quarantined(tmp_path):
    store = RecordStore.at(tmp_path)
    for value in (1, 2):
        (tmp_path / "ranks").mkdir(exist_ok=True)
        pq.write_table(pa.table({"x": [value]}), tmp_path / "ranks" / "x.parquet")
        assert "it lacks num_ties, query_id" in set_aside(store)[0][0]
    assert {path.name for path in (tmp_path / "set_aside" / "ranks").iterdir()} == {"x.parquet", "x.parquet.1"}


def test_a_corpus_with_a_damaged_header_is_refused(small_file, tmp_path):
    with np.load(small_file) as archive:
        np.savez(tmp_path / "c.npz", **archive)
    data = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(data.replace(b"'fortran_order'", b"(fortran_order'"))
    with pytest.raises(InputError, match=r"a corpus must be readable as \.npz"):
        open_corpus(str(tmp_path / "c.npz"))


def sound_manifest(made) -> dict:
    split = {"fingerprint": "f", "protocol": "controlled", "max_context": 4, "audit": {"num_leaked_vectors": 0}}
    more = {
        "splits": [split],
        "warnings": [],
        "command": "x",
        "trainer_version": "v",
        "runs": [{"started_at": "2026-01-01T00:00:00+00:00"}],
    }
    return content(made) | more


INVALID_MANIFESTS = {
    "a run without a date": ("runs", [{"ended": "done"}]),
    "no command": ("command", None),
    "a time without a time zone": ("reopened", {"C1_N2": "2026-01-01"}),
    "a split without an audit": ("splits", [{"fingerprint": "f", "protocol": "controlled", "max_context": 4}]),
    "a cell that leaves the study": ("cells", ["C1_N2", "../x"]),
    "an infinite time": ("wall_s", float("inf")),
    "a candidate that is a number": ("candidates", [0.01]),
    "a choice without tuned values": ("chosen", {"common": {}}),
    "a corpus that is a list": ("corpus", []),
    "an empty search domain": ("space", {"search": {"alpha": {"low": 1.0, "high": 0.0}}}),
}


@pytest.mark.parametrize(("key", "value"), INVALID_MANIFESTS.values(), ids=INVALID_MANIFESTS.keys())
def test_an_invalid_manifest_is_refused_before_a_study_is_resumed(key, value, made):
    manifest = sound_manifest(made)
    assert ResumableManifest.of(manifest, "m").command == "x"
    invalid = manifest | {key: manifest[key] | value if key == "space" else value}
    with pytest.raises(InputError, match=f"m.*{key}.*Restore the file"):
        ResumableManifest.of(invalid, "m")


CONFIGS = {
    "more layers than memory": {"num_layers": 10**9},
    "more values than memory": {"hidden_dim": 10**6, "model": "memory_gru", "num_slots": 10**6},
    "a size beyond 64 bits": {"hidden_dim": 2**63},
    "a negative size": {"dim": -1},
    "a size given as text": {"hidden_dim": "8"},
    "a dropout above 1": {"dropout": 7},
    "an unknown model": {"model": "../gru"},
    "a model that is a list": {"model": []},
    "an unknown key": {"code": "import os"},
}


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_hostile_config_of_a_model_is_refused_before_anything_is_allocated(changes, tmp_path):
    config = ModelConfig(dim=16, hidden_dim=8)
    files = model_files(build_model(config, 0).state_dict(), config, {"training": {"context_length": 4}})
    write_folder(tmp_path / "m", files)
    Predictor.load(tmp_path / "m")
    content = json.loads(files["config.json"])
    content["model"] |= changes
    (tmp_path / "m" / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="config"):
        Predictor.load(tmp_path / "m")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value, tmp_path):
    config = ModelConfig(dim=16, hidden_dim=8)
    weights = build_model(config, 0).state_dict()
    next(iter(weights.values())).view(-1)[0] = value
    write_folder(tmp_path / "m", model_files(weights, config, {"training": {"context_length": 4}}))
    with pytest.raises(InputError, match="weights must be finite float32"):
        Predictor.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["../x", "report/../../x", "trials/..", "a\0b"])
def test_a_file_of_a_study_cannot_leave_its_folder(name, tmp_path):
    store = RecordStore.at(tmp_path / "study")
    with pytest.raises(InputError, match="must stay in its folder"):
        store.write_bytes(name, b"x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("seed", "number"), [(11, 334), (11, 13192), (11, 18848), (12, 26040)])
def test_cases_that_fuzzing_found_are_handled(seed, number, tmp_path):
    """An unpaired surrogate in a manifest (reported) and in a space; numbers too large for a float or an array."""
    found = run_cases(tmp_path, seed=seed, numbers=range(number, number + 1), limit_s=60)
    assert found.wrong == [] and found.counts.total() == 1


def test_a_short_fuzz_run_finds_nothing(tmp_path):
    found = run_cases(tmp_path, seed=7, numbers=range(40), limit_s=120)
    assert found.wrong == []
    assert found.counts.total() == 40
