"""`python -m study.report` on whole, running, malformed and half-written studies."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from study.analysis.load import StudyRecords
from study.records.store import RecordStore
from study.report.__main__ import main
from tests.made_report import made_study
from tests.manifests import changed, content


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A whole study on disk: one part file a table."""
    study = made_study(num_search=2)
    kept = study.trials.context_length.isin([1, 4]) & (
        study.trials.num_sequences.isin([125, 250]) | (study.trials.stage == "baseline")
    )
    axes = {"context_length": [1, 4], "num_sequences": [125, 250]}
    study = changed(study, space={"cells": axes}, cells=[f"C{c}_N{n}" for c in (1, 4) for n in (125, 250)])
    return save(
        StudyRecords("x", study.manifest, study.trials[kept], study.curves, study.ranks),
        tmp_path_factory.mktemp("done") / "s",
    )


def save(study: StudyRecords, folder: Path) -> Path:
    store = RecordStore.at(folder)
    store.write_json("manifest.json", content(study))
    ids = set(study.trials.trial_id)
    for name in ("trials", "curves", "ranks"):
        table: pd.DataFrame = getattr(study, name)
        rows = table[table.trial_id.isin(ids)].astype(object)
        store.write_record(name, "all", rows.where(rows.notna(), None).to_dict("records"))
    return folder


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy", ignore=shutil.ignore_patterns("report")))


def test_a_report_has_page_markdown_figures_tables_and_an_optuna_journal(whole, capsys):
    trial = pd.read_parquet(whole / "trials").query("stage == 'confirm'").trial_id.iloc[0]
    assert main([str(whole), "--trec", trial]) == 0, "no failed trial is among the cells kept"
    report = whole / "report"
    for name in ("index.html", "report.md", "cells.csv", "best_configs.json", "optuna_journal.log", "figures/map.png",
                 "tables/pool_curve.csv", f"trec/{trial}.run", f"trec/{trial}.qrels"):  # fmt: skip
        assert (report / name).stat().st_size > 100, name
    assert "index.html" in capsys.readouterr().out


def change(path: Path, key: str, value) -> None:
    manifest = json.loads(path.read_text())
    if value is None:
        manifest.pop(key)
    else:
        manifest[key] = value
    path.write_text(json.dumps(manifest))


MALFORMED = {
    "an empty folder": lambda folder: [shutil.rmtree(folder), folder.mkdir()],
    "no folder": shutil.rmtree,
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: (folder / "manifest.json").write_text('{"study": "x", "spa'),
    "a manifest that is a list": lambda folder: (folder / "manifest.json").write_text("[1, 2]"),
    "a manifest without space": lambda folder: change(folder / "manifest.json", "space", None),
    "an empty space": lambda folder: change(folder / "manifest.json", "space", {}),
    "cells that are a number": lambda folder: change(folder / "manifest.json", "cells", 3),
    "a split that is a text": lambda folder: change(folder / "manifest.json", "split", "x"),
    "no ranks": lambda folder: shutil.rmtree(folder / "ranks"),
    "no curves": lambda folder: shutil.rmtree(folder / "curves"),
    "half a part": lambda folder: (folder / "trials/all.parquet").write_bytes(
        (folder / "trials/all.parquet").read_bytes()[:900]
    ),
    "an empty part": lambda folder: (folder / "ranks/all.parquet").write_bytes(b""),
    "a text among the parts": lambda folder: (folder / "trials/notes.parquet").write_text("hello"),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_study_gives_one_sentence_and_no_page(copy, capsys, fault):
    MALFORMED[fault](copy)
    assert main([str(copy)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "Traceback" not in said
    assert str(copy) in said
    assert not (copy / "report/index.html").exists()


def test_a_trial_of_an_unknown_status_is_refused(copy, capsys):
    trials = pd.read_parquet(copy / "trials")
    trials.loc[0, "status"] = "strange"
    trials.to_parquet(copy / "trials/all.parquet")
    assert main([str(copy)]) == 2
    assert "strange" in capsys.readouterr().err


def test_a_study_that_has_only_begun_has_a_page_that_says_so(copy):
    for name in ("trials", "curves", "ranks"):
        shutil.rmtree(copy / name)
    change(copy / "manifest.json", "runs", [{"started_at": "2026-01-01", "ended": "running"}])
    assert main([str(copy)]) == 0
    html = (copy / "report/index.html").read_text()
    assert "is still running: 0 of 12 confirm trials" in html
    assert "No cell is confirmed yet" in html
