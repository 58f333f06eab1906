"""`lvm-study run --power`: what a plan can show is printed before it runs, and nothing is trained or written."""

import re

import pytest

from study import run
from study.analysis.units import Units
from study.lifecycle.power import document_correlation, units_of
from study.plan.plan import make_plan
from study.space.file import load_space
from tests.planted import planted_study
from tests.report.test_report_command import save
from tests.studies import SMALL_SPACE, save_space


def told(capsys, *arguments: str) -> str:
    assert run.main(list(arguments)) == 0
    return " ".join(capsys.readouterr().out.split())


def test_power_prints_intervals_and_differences_and_writes_nothing(tiny_space, small_file, tmp_path, capsys):
    told_of = told(capsys, tiny_space, "--corpus", small_file, "--out", str(tmp_path / "o"), "--power", "2")
    assert re.search(r"100 test queries in \d+ documents, 2 replicates; variances measured on kalman", told_of)
    assert re.search(r"a cell's 95 % interval: about ±\d+\.\d points", told_of)
    assert "two contexts" in told_of and "two N" in told_of and "5 replicates" in told_of
    assert not (tmp_path / "o").exists()


def test_a_recorded_study_replaces_the_defaults(tiny_space, small_file, tmp_path, capsys):
    recorded = save(planted_study([0.5] * 4, seed=0, grid=((1, 4), (125, 500))), tmp_path / "recorded")
    told_of = told(capsys, tiny_space, "--corpus", small_file, "--power-from", str(recorded))
    assert f"2 replicates; {recorded}" in told_of and "kalman" not in told_of


def test_the_dry_run_has_one_line_of_it(tiny_space, small_file, capsys):
    told_of = told(capsys, tiny_space, "--corpus", small_file, "--dry-run")
    assert told_of.count("power: a cell's interval about ±") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--power", "0"], "--power must be a difference above 0 and below 100 points, but got 0"),
        (["--power", "many"], "argument --power: invalid float value: 'many'"),
        (["--power", "nan"], "--power must be a difference above 0 and below 100 points, but got nan"),
        (["--power-from", "nowhere"], "a study must have a readable manifest.json"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(options, message, tiny_space, small_file, capsys):
    assert run.main([tiny_space, "--corpus", small_file, *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_plan_whose_cells_have_queries_of_their_own_is_refused(tmp_path, small_file, capsys):
    space = SMALL_SPACE | {"cells": {"context_length": [1, 4], "num_sequences": [20]}}
    path = save_space(space | {"data": {"num_queries": 100, "shared_queries": False}}, tmp_path / "own.yaml")
    assert run.main([path, "--corpus", small_file, "--power"]) == 2
    assert "--power needs a plan whose cells share their queries" in capsys.readouterr().err


def test_the_document_effect_is_that_of_this_corpus(tiny_space, small_corpus):
    plan = make_plan("s", load_space(tiny_space, None, ["data.num_queries=all"], {}), small_corpus)
    units = units_of(plan)
    assert 0 < document_correlation(plan, units) < 0.5
    shuffled = Units(units.of_query[::-1].copy(), "stretches", 1)
    assert document_correlation(plan, shuffled) is None, "too few documents show none"
