"""SIGTERM ends a command as Ctrl-C does, and is deferred while Ray starts; Ray's own handler is not installed."""

import os
import signal
import time

import pytest
from ray._private import utils as ray_utils

from study import best, predict, run
from study.corpus import __main__ as corpus
from study.driver import session
from study.driver.session import RunOptions, ray_session
from study.host.signals import deferred_signals
from study.report import __main__ as report


def terminated(*_) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
    pytest.fail("SIGTERM must interrupt this")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (run, ["--list"]),
        (corpus, ["inspect", "kalman"]),
        (report, ["results/x"]),
        (best, ["results/x"]),
        (predict, ["model", "--corpus", "c.npz", "--text", "x"]),
    ],
)
def test_sigterm_outside_the_trials_ends_a_command_with_status_130(module, arguments, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(module, "load", lambda _: terminated)
    assert module.main(arguments) == 130
    assert capsys.readouterr().err.startswith("\ninterrupted")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_ray_starts_is_deferred_until_it_has_started(number, monkeypatch):
    began = []

    def begin(**_) -> None:
        ray_utils.set_sigterm_handler(signal.SIG_IGN)  # as Ray does first
        signal.alarm(60)  # as Ray's C++ does on SIGTERM, to abort 3 s later
        os.kill(os.getpid(), number)
        began.append(number)

    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(session.ray, "init", begin)
    with pytest.raises(KeyboardInterrupt), ray_session(RunOptions()):
        pytest.fail("no session was begun")
    assert began == [number]
    assert signal.alarm(0) == 0
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_signal_interrupts_at_once():
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        os.kill(os.getpid(), signal.SIGINT)
        terminated()
