"""Handle signals for a while; SIGTERM ends a command as Ctrl-C does."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

Handler = Callable | signal.Handlers | None


@contextlib.contextmanager
def handled(handlers: dict[int, Handler]) -> Iterator[None]:
    """Handle signals so, by number, and as before afterwards; nothing outside the main thread, where Python cannot."""
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
    """Hear SIGINT and SIGTERM when the block has ended, for what must not be cut short; a second one is heard at once.

    Raises: KeyboardInterrupt at the end, where one came meanwhile.
    """
    heard = []

    def note(signum: int, frame: object) -> None:
        signal.alarm(0)  # Ray's C++ hears SIGTERM first while it starts, and would abort the process 3 s later
        heard.append(signum)
        if len(heard) > 1:
            raise KeyboardInterrupt

    try:
        with handled({signal.SIGINT: note, signal.SIGTERM: note}):
            yield
    finally:
        if heard:
            raise KeyboardInterrupt
