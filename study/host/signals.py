"""Handle or defer signals within a block; SIGTERM ends a command as Ctrl-C does."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

Handler = Callable | signal.Handlers | None


@contextlib.contextmanager
def handled(handlers: dict[int, Handler]) -> Iterator[None]:
    """Set signal handlers by number, and restore the old ones afterwards. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ended_by_sigterm() -> contextlib.AbstractContextManager[None]:
    """Raise KeyboardInterrupt on SIGTERM, as on Ctrl-C."""
    return handled({signal.SIGTERM: signal.default_int_handler})


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer SIGINT and SIGTERM until the block ends; a second one interrupts it at once.

    Raises: KeyboardInterrupt at the end, if a signal arrived.
    """
    received = []

    def note(signum: int, frame: object) -> None:
        signal.alarm(0)  # while Ray starts, its C++ handler runs first and sets an alarm that aborts after 3 s
        received.append(signum)
        if len(received) > 1:
            raise KeyboardInterrupt

    try:
        with handled({signal.SIGINT: note, signal.SIGTERM: note}):
            yield
    finally:
        if received:
            raise KeyboardInterrupt
