"""A study listens on loopback only, writes no secrets, and runs no code from data files."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from lvm_core.predict import Predictor
from lvm_core.remote import without_secrets
from study import run
from tests.lifecycle.test_faults import line
from tests.studies import ROOT, SMALL_SPACE, TINY_SPACE

SECRETS = {"AWS_SECRET_ACCESS_KEY": "aws-s3cr3t", "HF_TOKEN": "hf_s3cr3t", "WANDB_API_KEY": "wandb-s3cr3t"}
URIS = {
    "s3://AKIA:s3cr3t@bucket/x": "s3://…@bucket/x",
    "s3://user:s3%2Fcr3t@host/b?region=eu": "s3://…@host/b?region=eu",
    "s3://b/x?access_key=s3cr3t&secret_key=s3cr3t&scheme=http": "s3://b/x?access_key=…&secret_key=…&scheme=http",
    "'s3://b/x?session_token=s3cr3t' --seed 3": "'s3://b/x?session_token=…' --seed 3",
    "gs://b?x=1&credential_kind=s3cr3t": "gs://b?x=1&credential_kind=…",
    "--set fixed.max_steps=24": "--set fixed.max_steps=24",
}


def listening(driver: psutil.Process) -> set[tuple[str, str]]:
    """Return (process, address) of every listening socket of a driver and its children."""
    found = set()
    for process in [driver, *driver.children(recursive=True)]:
        try:
            found |= {(process.name(), c.laddr.ip) for c in process.net_connections("inet") if c.status == "LISTEN"}
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended
    return found


@pytest.fixture(scope="module")
def watched(small_file, tmp_path_factory) -> tuple[Path, set[tuple[str, str]]]:
    """A study run with secrets in its environment: its output folder, and the addresses it listened on."""
    folder = tmp_path_factory.mktemp("watched")
    space = SMALL_SPACE | {"cells": {"context_length": [1], "num_sequences": [20]}}
    (folder / "s.yaml").write_text(yaml.safe_dump(space))
    out, found = folder / "out", set()
    command = [word for word in line(str(folder / "s.yaml"), small_file, out) if word != "--no-report"]
    with (folder / "output.txt").open("w") as output:
        driver = subprocess.Popen(command, cwd=ROOT, env=os.environ | SECRETS, stdout=output, stderr=output)
        while driver.poll() is None:
            try:
                found |= listening(psutil.Process(driver.pid))
            except psutil.NoSuchProcess:
                break
            time.sleep(0.3)
    assert driver.wait(10) == 0, (folder / "output.txt").read_text()
    return folder, found


@pytest.mark.slow
def test_a_local_study_listens_on_loopback_only(watched):
    found = watched[1]
    assert {"gcs_server", "raylet"} <= {name for name, _ in found}, "Ray's processes were listed"
    outside = {pair for pair in found if pair[1].removeprefix("::ffff:") not in ("127.0.0.1", "::1")}
    assert not outside


@pytest.mark.slow
def test_no_secret_of_the_environment_is_written_to_a_file(watched):
    files = [path for path in watched[0].rglob("*") if path.is_file()]
    assert {"manifest.json", "study.log", "index.html", "report.md"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in SECRETS.values() if secret.encode() in content], path


@pytest.mark.parametrize(("command", "redacted"), URIS.items())
def test_keys_in_a_location_are_redacted_from_the_manifest(command, redacted):
    assert without_secrets(command) == redacted
    assert without_secrets(redacted) == redacted


@pytest.mark.parametrize("option", ["--out", "--corpus"])
def test_keys_in_a_location_that_cannot_be_opened_are_not_printed(option, tiny_space, small_file, tmp_path, capsys):
    uri = "nowhere://user:s3cr3t@host/x?secret_key=s3cr3t"
    arguments = {"--corpus": small_file, "--out": str(tmp_path / "o"), option: uri}
    assert run.main([tiny_space, *(word for pair in arguments.items() for word in pair)]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "s3cr3t" not in printed.err + printed.out
    assert not (tmp_path / "o").exists()


class Bomb:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def mark(tmp_path) -> Path:
    """The file that a bomb creates; the bomb is shown to work first."""
    path = tmp_path / "ran"
    pickle.loads(pickle.dumps(Bomb(path)))
    path.unlink()
    return path


@pytest.mark.parametrize("key", ["vectors", "chain_ids", "chain_titles"])
def test_a_pickle_in_a_corpus_is_refused_and_not_run(key, mark, small_file, tmp_path):
    with np.load(small_file) as archive:
        arrays = dict(archive)
    bombs = np.empty(len(arrays["chain_ids"]), dtype=object)
    bombs[:] = Bomb(mark)
    np.savez(tmp_path / "c.npz", **{**arrays, key: bombs})
    (tmp_path / "pair").mkdir()
    for name in ("vectors", "chain_ids", "chain_titles"):
        np.save(tmp_path / "pair" / f"{name}.npy", bombs if name == key else arrays.get(name, np.array(["t"] * 60)))
    for source in ("c.npz", "pair"):
        with pytest.raises(InputError):
            open_corpus(str(tmp_path / source))
    assert not mark.exists()


TAGS = ["python/object/apply:os.system", "python/object/new:os.system", "python/object/apply:pathlib.Path.touch"]


@pytest.mark.parametrize("tag", TAGS)
def test_yaml_in_a_space_or_a_setting_is_refused_and_not_run(tag, mark, small_file, tmp_path, capsys):
    code = (
        f"!!{tag} ['touch {mark}']" if "system" in tag else f"!!{tag} [!!python/object/apply:pathlib.Path ['{mark}']]"
    )
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(TINY_SPACE) + f"\nfixed: {code}\n")
    (tmp_path / "sound.yaml").write_text(yaml.safe_dump(TINY_SPACE))
    lines = [[str(tmp_path / "s.yaml")], [str(tmp_path / "sound.yaml"), "--set", f"fixed.alpha={code}"]]
    for arguments in lines:
        assert run.main([*arguments, "--corpus", small_file, "--dry-run"]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not mark.exists()


def test_a_pickle_in_place_of_weights_is_refused_and_not_run(mark, tmp_path):
    (tmp_path / "config.json").write_text('{"model": {"dim": 4}, "training": {"context_length": 2}}')
    for data in (pickle.dumps(Bomb(mark)), b"\x80\x02" + pickle.dumps({"weights": Bomb(mark)})):
        (tmp_path / "model.safetensors").write_bytes(data)
        with pytest.raises(InputError, match="a checkpoint must have readable"):
            Predictor.load(tmp_path)
    assert not mark.exists()


def test_a_pickle_among_the_records_is_set_aside_and_not_run(mark, tmp_path):
    code = "from study.records.store import RecordStore; from study.records.repair import set_aside; import sys; "
    code += "store = RecordStore.at(sys.argv[1]); store.read('trials') if set_aside(store)[0] else sys.exit(3)"
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "x.parquet").write_bytes(pickle.dumps(Bomb(mark)))
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
    assert not mark.exists()
