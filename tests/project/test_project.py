"""Project-wide rules: imports, cluster files, documentation."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from study.records.columns import TABLES

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_import_rules_hold():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("lvm_core/ranks.py", "import study.plan.plan"),
        ("lvm_core/trainer.py", "import ray"),
        ("study/plan/plan.py", "import optuna"),
        ("study/trial/run.py", "import ray"),
        ("study/records/store.py", "import study.plan.plan"),
        ("study/analysis/cells.py", "import torch"),
        ("study/analysis/cells.py", "import lvm_core.trainer"),
        ("study/trial/run.py", "import study.analysis.cells"),
    ],
)
def test_a_broken_import_rule_is_detected(tmp_path, module, line):
    for name in ("lvm_core", "study"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / module
    path.write_text(f"{path.read_text()}\n{line}\n")
    assert lint(tmp_path).returncode == 1


def test_analysis_and_report_run_without_torch_and_ray():
    code = (
        "import sys; import study.report.rebuild, study.report.best;"
        "assert not {'torch', 'ray', 'faiss', 'optuna'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", ["cluster.yaml", "cluster-local.yaml"])
def test_cluster_files_pass_rays_schema_and_validator(name):
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((ROOT / name).read_text())
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(config, schema)
    validate_config(prepare_config(config))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "max_wokers": 3}, schema)


def test_the_readme_names_both_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make scaling" in readme and "make test" in readme


def test_the_documentation_explains_every_column():
    records = (ROOT / "docs" / "records.md").read_text()
    for table, schema in TABLES.items():
        missing = [name for name in schema.names if f"`{name}`" not in records]
        assert not missing, f"{table}: {missing}"


PAGES = sorted(path for place in (".", "docs", "results", "benchmarks") for path in (ROOT / place).glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_every_link_between_pages_leads_to_a_file(path):
    links = re.findall(r"\]\(([^)#]+)", path.read_text())
    assert not [link for link in links if "://" not in link and not (path.parent / link).exists()]


def test_every_module_that_the_documentation_names_exists():
    for path in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        modules = re.findall(r"\b(?:tests|study|lvm_core)/[\w/]+\.py\b", path.read_text())
        assert not [module for module in modules if not (ROOT / module).is_file()], path


def test_every_test_that_proves_a_fault_exists():
    cited = re.findall(r"`(\w+/test_\w+)`((?:[:,]\s+\*[^*]+\*)*)", (ROOT / "docs" / "faults.md").read_text())
    assert cited
    for module, names in cited:
        source = (ROOT / "tests" / f"{module}.py").read_text()
        for name in re.findall(r"\*([^*]+)\*", names):
            start = re.sub(r"\W+", "_", name)
            assert f"def test_{start}" in source, f"{module}: {name}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [path.name for path in ROOT.glob("docs/*.md") if path.name != "README.md"]
    assert not [name for name in pages if f"({name})" not in index]
