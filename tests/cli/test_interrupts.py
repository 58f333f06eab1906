"""Ctrl-C and SIGTERM end every command with status 130 and one sentence, while it imports and while it works."""

import signal
import subprocess
import sys

import pytest

from tests.studies import ROOT

pytestmark = pytest.mark.slow  # each starts a command and waits for its imports

# what is run: the module, its arguments, a heavy package it imports, and the function in which it is interrupted
COMMANDS = {
    "run": ("study.run", ["scaling", "--dry-run"], "ray", "study.lifecycle.start:plan_from"),
    "report": ("study.report.__main__", ["results/x"], "pandas", "study.report.rebuild:load_study"),
    "best": ("study.best", ["results/x"], "pandas", "study.report.best:load_study"),
    "best --export": ("study.best", ["results/x", "--export", "d"], "torch", "study.report.best:load_study"),
    "corpus": ("study.corpus.__main__", ["inspect", "kalman"], "torch", "study.corpus.inspect:open_corpus"),
    "predict": (
        "study.predict",
        ["m", "--corpus", "kalman", "--text", "x"],
        "faiss",
        "study.corpus.next_chunks:open_corpus",
    ),
    "lvm-study": ("study.__main__", ["best", "results/x"], "pandas", "study.report.best:load_study"),
}
numbers = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
commands = pytest.mark.parametrize(("module", "arguments", "package", "function"), COMMANDS.values(), ids=COMMANDS)

# it stops at a line of its standard input, so that the signal is sure to come where it should
PAUSE = """
import importlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell makes its background jobs ignore it
def pause(*_, **__):
    print("paused", flush=True)
    sys.stdin.readline()
"""
WHILE_IMPORTING = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r}:
            sys.meta_path.remove(self)
            pause()
sys.meta_path.insert(0, Finder())
"""
WHILE_WORKING = """
setattr(importlib.import_module({where!r}), {name!r}, pause)
"""
MAIN = """
sys.exit(importlib.import_module({module!r}).main({arguments!r}))
"""


def interrupted(code: str, number: signal.Signals) -> tuple[int, str]:
    """Run code until it pauses, send it a signal, and let it go on; return its status and what it printed to stderr."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "paused\n"
    process.send_signal(number)
    _, errors = process.communicate("\n")
    return process.returncode, errors


@numbers
@commands
def test_a_signal_while_a_command_imports_ends_it_in_one_sentence(module, arguments, package, function, number):
    code = PAUSE + WHILE_IMPORTING.format(package=package) + MAIN.format(module=module, arguments=arguments)
    status, errors = interrupted(code, number)
    assert status == 130
    assert errors.startswith("\ninterrupted; run the same command again") and errors.strip().count("\n") == 0


@numbers
@commands
def test_a_signal_while_a_command_works_ends_it_in_one_sentence(module, arguments, package, function, number):
    where, _, name = function.partition(":")
    code = PAUSE + WHILE_WORKING.format(where=where, name=name) + MAIN.format(module=module, arguments=arguments)
    status, errors = interrupted(code, number)
    assert status == 130
    assert errors.startswith("\ninterrupted; run the same command again") and errors.strip().count("\n") == 0


def test_an_interrupted_run_names_the_option_that_resumes():
    module, arguments, package, _ = COMMANDS["run"]
    code = PAUSE + WHILE_IMPORTING.format(package=package) + MAIN.format(module=module, arguments=arguments)
    assert "with --resume if the study has begun." in interrupted(code, signal.SIGINT)[1]
