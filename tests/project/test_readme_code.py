"""The code of README.md runs as it is written."""

import re
from pathlib import Path

import pytest

from tests.made_report import made_study
from tests.report.test_report_command import save
from tests.studies import ROOT

STUDY = '"results/scaling-kalman-quick"'


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks())
def test_the_notebook_of_the_readme_runs_on_a_recorded_study(code, tmp_path, capsys):
    assert len(code.strip().splitlines()) <= 12 and STUDY in code
    folder: Path = save(made_study(num_search=2), tmp_path / "study")
    exec(compile(code.replace(STUDY, repr(str(folder))), "README.md", "exec"), {})
    output = capsys.readouterr().out
    assert "Which law does Hit@5(C, N) follow? ->" in output and "hit_at_5_high" in output
    assert 0 < float(re.search(r"\[(0\.\d+)\]\s*$", output)[1]) < 1, "the fitted law at one cell"
