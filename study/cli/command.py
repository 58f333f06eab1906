"""Run a command: its exit status, Ctrl-C, SIGTERM, and errors of one sentence."""

import argparse
import os
import select
import signal
import sys
from collections.abc import Callable

from lvm_core.errors import InputError
from study.cli.errors import say_error
from study.cli.exit_status import DONE, INTERRUPTED, OUTPUT_CLOSED, WRONG
from study.cli.parser import Parser
from study.host.signals import deferred_signals, ended_by_sigterm, handled

Body = Callable[[argparse.Namespace], int | None]


def run_command(
    parser: Parser,
    load: Callable[[argparse.Namespace], Body],
    arguments: list[str] | None,
    go_on: str = "run the same command again",
) -> int:
    """Parse the arguments, import what the command needs, run it, and return the exit status.

    load: imports heavy modules and returns the body, whose None means done. Signals wait for it to end, since an
    exception in the middle of an import may be lost.
    arguments: those of the process where None; the body finds them in `options.arguments`.
    go_on: what to do after an interruption or an error of the machine, as an imperative.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    _open_closed_streams()
    try:
        with ended_by_sigterm():
            return _run(parser, load, arguments, go_on)
    except KeyboardInterrupt:
        with handled({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN}):
            print(f"\ninterrupted; {go_on}.", file=sys.stderr)
        return INTERRUPTED


def _run(parser: Parser, load: Callable[[argparse.Namespace], Body], arguments: list[str], go_on: str) -> int:
    try:
        options = parser.parse_args(arguments, argparse.Namespace(arguments=tuple(arguments)))
        with deferred_signals():
            body = load(options)
        status = body(options) or DONE
        sys.stdout.flush()  # a closed pipe or a full disk shows here, not while Python ends
        return status
    except InputError as error:
        say_error(error)
        return WRONG
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is printed while Python ends
            return OUTPUT_CLOSED
        say_error(f"{str(error).rstrip('.')}. Fix the cause, then {go_on}.")
        return WRONG


def _open_closed_streams() -> None:
    """Let a command that was started without standard streams (`>&-`) print into nothing."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, it stays open as a standard stream does


def _is_output_closed() -> bool:
    """Return whether the reader of standard output is gone, rather than the other end of any other pipe."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))
