"""`lvm-study` and `python -m study.X`: one set of subcommands, statuses, sentences, suggestions and completions."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from importlib.metadata import version

import pytest

from study.__main__ import SUBCOMMANDS, main, parser
from study.cli.command import run_command
from study.cli.completion import SHELLS
from study.cli.exit_status import FAILED, OUTPUT_CLOSED
from study.cli.parser import Parser
from tests.studies import ROOT

MODULES = ["study", "study.run", "study.report", "study.best", "study.corpus", "study.predict"]
HEAVY = {"torch", "ray", "pandas", "matplotlib", "pyarrow", "faiss", "optuna", "numpy", "pydantic", "rich"}
STARTS = [(["-m", module], f"python -m {module}") for module in MODULES]
STARTS += [(["-m", "study", name], f"python -m study {name}") for name in SUBCOMMANDS]
starts = pytest.mark.parametrize(("start", "prog"), STARTS, ids=[prog for _, prog in STARTS])


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    line = [sys.executable, *arguments]
    return subprocess.run(line, **{"cwd": ROOT, "capture_output": True, "text": True, "check": False} | options)


def printed(arguments: list[str], capsys) -> str:
    """Run `lvm-study` with an option that prints and exits; return what it prints."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    return capsys.readouterr().out


@starts
def test_help_names_the_command_as_it_was_typed(start, prog):
    done = run(*start, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"usage: {prog} [-h]")


@pytest.mark.parametrize("arguments", [[*start, "--help"] for start, _ in STARTS] + [["-m", "study", "--version"]])
def test_help_and_version_import_nothing_heavy(arguments):
    done = run("-X", "importtime", *arguments)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.returncode == 0 and "argparse" in imported
    assert not HEAVY & imported


def test_version_is_that_of_the_project(capsys):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert printed(["--version"], capsys) == f"lvm-study {declared['version']}\n"
    assert version("lvm-study") == declared["version"]


def test_the_installed_command_starts_the_dispatcher():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["lvm-study"].partition(":")
    assert getattr(import_module(module), function) is main


def test_help_lists_every_subcommand(capsys):
    said = printed(["--help"], capsys)
    assert said.startswith("usage: lvm-study [-h]")
    for name, subcommand in SUBCOMMANDS.items():
        assert f"  {name} " in said
        assert import_module(subcommand.module).parser().prog == f"python -m {subcommand.module}".removesuffix(
            ".__main__"
        )


@pytest.mark.slow
def test_a_subcommand_does_what_its_module_does(capsys):
    assert main(["run", "--list"]) == 0
    assert capsys.readouterr().out == run("-m", "study.run", "--list").stdout


MISSPELT = {
    "a subcommand": (["rum"], "invalid choice: 'rum' (did you mean run?). See `lvm-study --help`."),
    "an option before the subcommand": (["--verison"], "--verison (did you mean --version?)"),
    "an option": (
        ["run", "scaling", "--preste", "quick"],
        "unrecognized arguments: --preste (did you mean --preset?). See `lvm-study run --help`.",
    ),
    "an option with its value": (["run", "scaling", "--preste=quick"], "--preste=quick (did you mean --preset?)"),
    "an option with one dash": (["best", "x", "-json"], "-json (did you mean --json?)"),
    "a required option": (["corpus", "encode", "docs", "--otu", "x.npz"], "--otu (did you mean --out?)"),
    "one of two required options": (["predict", "m", "--corpus", "c", "--txt", "x"], "--txt (did you mean --text?)"),
    "an option where an argument is missing": (["report", "--tre"], "--tre (did you mean --trec?)"),
    "a subcommand of a subcommand": (
        ["corpus", "encdoe"],
        "invalid choice: 'encdoe' (did you mean encode?). See `lvm-study corpus --help`.",
    ),
    "a choice": (["run", "scaling", "--preset", "quik"], "--preset: invalid choice: 'quik' (did you mean quick?)"),
    "a study": (["run", "scalign"], "did you mean scaling?"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), MISSPELT.values(), ids=MISSPELT.keys())
def test_the_nearest_known_word_is_suggested(arguments, said, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ") and error.count("\n") == 1


WRONG = {
    "no subcommand": ([], "the following arguments are required: COMMAND. See `lvm-study --help`."),
    "nothing alike": (["scaling"], "invalid choice: 'scaling' (choose from 'run', 'report', 'best'"),
    "no study to run": (["run"], "a study's name must be given. See `lvm-study run --list`."),
    "no workers": (["run", "scaling", "--workers", "0"], "--workers must be at least 1, but got 0."),
    "an unknown option like no other": (["run", "--nonsense"], "unrecognized arguments: --nonsense. See"),
    "no study to report": (["report", "{dir}"], "a study must have a readable manifest.json"),
    "no study to read": (["best", "{dir}"], "a study must have a readable manifest.json"),
    "a cell and no export": (["best", "{dir}", "--cell", "C4_N20"], "--cell must come with --export DIR"),
    "no corpus": (["corpus", "inspect", "{dir}/none.npz"], "is not there"),
    "no passage": (["predict", "m", "--corpus", "kalman", "--file", "{dir}/none"], "No such file or directory"),
    "an unknown shell": (["--print-completion", "cmd.exe"], "invalid choice: 'cmd.exe'"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_gets_one_sentence_and_status_2(arguments, said, tmp_path, capsys):
    assert main([part.replace("{dir}", str(tmp_path)) for part in arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_machine_is_one_sentence_that_says_how_to_go_on(capsys):
    def body(_) -> None:
        raise OSError(28, "No space left on device")

    assert run_command(Parser(prog="x"), lambda _: body, [], "try again") == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device. Fix the cause, then try again.\n"


def test_a_status_of_the_body_is_that_of_the_command():
    assert run_command(Parser(prog="x"), lambda _: lambda _: FAILED, []) == FAILED
    assert run_command(Parser(prog="x"), lambda _: lambda _: None, []) == 0


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_command_in_silence():
    read, write = os.pipe()
    os.close(read)
    done = run("-m", "study.run", "--list", capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (OUTPUT_CLOSED, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_names_every_subcommand_and_option(shell, capsys):
    script = printed(["--print-completion", shell], capsys)
    for word in (*SUBCOMMANDS, "encode", "inspect", "convert", "preset", "laptop", "skip-bad", "tensorboard"):
        assert word in script, word


def completed(script: str, *words: str) -> list[str]:
    """Return what bash offers for the last word."""
    code = (
        f"{script}\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}\n'
        "function=$(complete -p lvm-study | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\n"
        '"$function" lvm-study "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"\n'
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code, "bash", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_subcommands_options_choices_and_files(capsys):
    script = printed(["--print-completion", "bash"], capsys)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert completed(script, "lvm-study", "r") == ["run", "report"]
    assert completed(script, "lvm-study", "run", "--pre") == ["--preset"]
    assert completed(script, "lvm-study", "run", "--preset", "") == ["quick", "laptop", "full"]
    assert completed(script, "lvm-study", "run", "--corpus", "pyp") == ["pyproject.toml"]
    assert completed(script, "lvm-study", "corpus", "encode", "--dev") == ["--device"]


def test_the_whole_parser_reads_what_the_subcommands_read():
    options = parser(whole=True).parse_args(["corpus", "inspect", "kalman", "--seed", "3"])
    assert (options.corpus, options.seed) == ("kalman", 3)


@pytest.mark.slow
def test_a_wheel_lists_its_studies_outside_the_checkout(tmp_path):
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 or later builds the wheel")
    for folder in ("lvm_core", "study", "search_spaces"):
        shutil.copytree(ROOT / folder, tmp_path / "src" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / "src")
    build = "from setuptools import build_meta; import sys; build_meta.build_wheel(sys.argv[1])"
    run("-c", build, str(tmp_path), cwd=tmp_path / "src", check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run("-m", "study", "run", "--list", cwd=elsewhere, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")})
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "search_spaces").glob("*.yaml"):
        assert f"{path.stem} " in done.stdout
