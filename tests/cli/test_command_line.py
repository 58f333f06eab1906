"""Every invalid command is refused in one sentence with status 2, and leaves nothing behind."""

import numpy as np
import pytest

from lvm_core.corpus import open_corpus
from study import best, run
from study.messages.durations import parse_duration
from study.report import __main__ as report
from tests.conftest import save_npz


@pytest.fixture
def bad_files(tmp_path):
    rng = np.random.default_rng(0)
    vectors, ids = rng.standard_normal((400, 8)).astype(np.float32), np.repeat(np.arange(10), 40)
    broken = vectors.copy()
    broken[7, 3] = np.nan
    save_npz(tmp_path / "nan.npz", broken, ids)
    save_npz(tmp_path / "zero.npz", np.where(np.arange(400)[:, None] == 9, 0, vectors), ids)
    save_npz(tmp_path / "ungrouped.npz", vectors, np.arange(400) % 10)
    save_npz(tmp_path / "two.npz", vectors, np.repeat([0, 1], 200))
    np.savez(tmp_path / "keys.npz", x=vectors)
    (tmp_path / "file").write_text("not a folder")
    return tmp_path


WRONG = {
    "missing file": (["--corpus", "{dir}/none.npz"], "is not there"),
    "wrong keys": (["--corpus", "{dir}/keys.npz"], "lacks vectors, chain_ids"),
    "NaN": (["--corpus", "{dir}/nan.npz"], "row 7 of `vectors`"),
    "zero vector": (["--corpus", "{dir}/zero.npz"], "row 9 of `vectors`"),
    "ungrouped": (["--corpus", "{dir}/ungrouped.npz"], "must stand together"),
    "two documents": (["--corpus", "{dir}/two.npz"], "at least 3 documents"),
    "N too large": (["--set", "cells.num_sequences=[100000]"], "must fill at least one cell"),
    "C too large": (["--set", "cells.context_length=[3000]"], "must have at least 30 queries"),
    "unknown key": (["--set", "racing.num_sample=3"], "did you mean num_samples?"),
    "empty domain": (["--set", "search.alpha={choices: []}"], "must not be empty"),
    "unwritable": (["--out", "{dir}/file/deeper"], "--out must be a writable folder"),
    "unknown option": (["--presett", "quick"], "unrecognized arguments: --presett (did you mean --preset?)"),
    "unknown preset": (["--preset", "huge"], "invalid choice: 'huge'"),
    "bad budget": (["--budget", "soon"], "--budget must be a time such as 90s, 30m or 1h30m"),
    "no workers": (["--workers", "0"], "--workers must be at least 1"),
    "escaping name": (["--study", "../../etc"], "a study's name must be letters"),
    "unknown protocol": (["--protocol", "fair"], "invalid choice: 'fair'"),
    "scale without rows": (["--scale", "auto"], "scale: auto needs cells.rows to scale"),
    "bad device": (["--set", "fixed.device=tpu"], "but got 'tpu'"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_an_invalid_command_is_refused_in_one_sentence_and_leaves_no_study(
    bad_files, tiny_space, small_file, arguments, message, capsys
):
    out = bad_files / "results"
    command = [tiny_space, "--corpus", small_file, "--out", str(out), *arguments]
    assert run.main([word.replace("{dir}", str(bad_files)) for word in command]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1 and err.startswith("error: ")
    assert not out.exists()


def test_an_unknown_study_is_refused_with_the_nearest_known_one(capsys):
    assert run.main(["scalign"]) == 2
    assert "did you mean scaling?" in capsys.readouterr().err
    assert run.main([]) == 2


def test_list_names_every_study_with_its_question(capsys):
    assert run.main(["--list"]) == 0
    output = capsys.readouterr().out
    for name in ("scaling", "threshold", "alpha", "patience"):
        assert name in output


def test_dry_run_prints_cells_trials_and_time_and_writes_nothing(tiny_space, small_file, tmp_path, capsys):
    settings = ["--set", "cells.num_sequences=[20, 60, 90000]"]
    arguments = [tiny_space, "--corpus", small_file, "--out", str(tmp_path / "o"), "--dry-run", "--workers", "2"]
    assert run.main([*arguments, *settings]) == 0
    output = capsys.readouterr().out
    for count in ("16 trials of the list", "at most 16 of the second round", "8 confirm trials of the tuned map"):
        assert count in output
    assert "at most 8 of the common map, and 22 baselines on 2 workers: about" in output
    assert "infeasible: C=4 N=90000" in output
    assert "from measured steps" in output
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("program", [report, best])
def test_report_and_best_refuse_a_folder_that_is_not_a_study(program, tmp_path, capsys):
    assert program.main([str(tmp_path)]) == 2
    assert "a study must have a readable manifest.json" in capsys.readouterr().err


def test_durations_are_read_as_people_write_them():
    assert [parse_duration(text) for text in ("90s", "30m", "1h30m", "2h")] == [90, 1800, 5400, 7200]


def test_a_failed_audit_stops_the_study(tiny_space, small_file, tmp_path, monkeypatch, capsys):
    from lvm_core.dataset import Dataset

    honest = Dataset.audit
    corpus = open_corpus(small_file)

    def leaky(self):
        from lvm_core.split import audit_leaks

        return audit_leaks(corpus, self.split, np.ones(corpus.num_vectors, bool))

    monkeypatch.setattr(Dataset, "audit", leaky)
    assert run.main([tiny_space, "--corpus", small_file, "--out", str(tmp_path / "o")]) == 1
    assert "the split audit found 720 held-out vectors in training windows" in capsys.readouterr().err
    monkeypatch.setattr(Dataset, "audit", honest)
