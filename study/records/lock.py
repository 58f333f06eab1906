"""Hold a study, so that two drivers never write it: a lock on a folder, a lease on an object store."""

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs as pafs

from lvm_core.errors import InputError
from study.host.signals import handled
from study.records.store import RecordStore

RENEW_S = 15.0
STALE_RENEWALS = 4  # a lease that was not renewed for so many periods belongs to a driver that is dead or cut off
LEASES = "drivers"
log = logging.getLogger("study")


@contextlib.contextmanager
def locked(store: RecordStore, renew_s: float = RENEW_S) -> Iterator[None]:
    """Hold a study. Raises: InputError where another driver holds it, or took it over meanwhile."""
    if store.is_local:
        with _flock(Path(store.root)):
            yield
        return
    lease = Lease(store, renew_s)
    lease.take()
    try:
        with _interruptible():
            yield
    except KeyboardInterrupt:
        if lease.lost is not None:
            raise InputError(lease.lost) from None
        raise
    finally:
        lease.give_back()


def _interruptible() -> contextlib.AbstractContextManager[None]:
    """Have SIGINT raise KeyboardInterrupt, as a lost lease needs it: a shell has jobs in the background ignore it."""
    is_ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return handled({signal.SIGINT: signal.default_int_handler} if is_ignored else {})


@contextlib.contextmanager
def _flock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise InputError(
            f"a study must have one driver, but another process is running {folder.name}. Wait for it, or give --study "
            "another name."
        ) from error
    try:
        yield
    finally:
        os.close(handle)


class Lease:
    """An object `drivers/<token>.json` that a thread writes anew while the driver lives.

    A driver writes its own object first and lists all of them then. A listing shows every object written before it (S3
    is strongly consistent), so of two drivers at least one sees the other, and who sees a fresh one gives up: never
    do both go on. Two that begin in the same moment may both give up. Ages are differences of the store's own times,
    so no two clocks are compared. lost: why this driver must stop.
    """

    def __init__(self, store: RecordStore, renew_s: float):
        self._store, self._renew_s = store, renew_s
        self._name = f"{LEASES}/{uuid.uuid4().hex[:12]}.json"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self.lost: str | None = None

    @property
    def _stale_s(self) -> float:
        return STALE_RENEWALS * self._renew_s

    def take(self) -> None:
        """Take the study, removing leases of dead drivers. Raises: InputError that says who holds it."""
        self._write()
        try:
            times = self._times()
            ages = {name: times[self._name] - at for name, at in times.items() if name != self._name}
            if fresh := {name: age for name, age in ages.items() if age < self._stale_s}:
                raise InputError(self._held(*min(fresh.items(), key=lambda item: item[1])))
            for name in ages:
                self._store.delete(name)
        except BaseException:
            self._store.delete(self._name)
            raise
        self._thread.start()

    def give_back(self) -> None:
        """Stop renewing and remove the lease."""
        self._over.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # the next driver finds it stale
            self._store.delete(self._name)

    def _keep(self) -> None:
        """Renew until the end; stop the driver where its lease is gone, or could not be renewed for too long."""
        renewed = time.monotonic()
        while not self._over.wait(self._renew_s):
            try:
                if self._is_late(renewed):
                    return self._stop("its lease could not be renewed, so that another may take it over")
                if not self._store.exists(self._name):
                    return self._stop("another driver took it over")
                begun = time.monotonic()
                self._write()
                if self._is_late(renewed):  # it stood still before the write: it may have made anew what was removed
                    return self._stop("its lease was renewed too late, so that another may have taken it over")
                renewed = begun
            except Exception as error:  # whatever it is, the lease must be tried again
                log.warning("the lease could not be renewed: %s", error)

    def _is_late(self, renewed: float) -> bool:
        """Return whether the last renewal lies so far back that another driver may find the lease stale."""
        return time.monotonic() - renewed > self._stale_s - self._renew_s

    def _stop(self, reason: str) -> None:
        self.lost = (
            f"a study must have one driver, but of {self._study}, {reason}. This one stops; nothing that was recorded "
            "is lost. Continue with --resume when no other runs."
        )
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # as Ctrl-C: it also ends a wait

    @property
    def _study(self) -> str:
        return self._store.root.rpartition("/")[2]

    def _write(self) -> None:
        self._store.write_json(self._name, {"host": socket.gethostname(), "pid": os.getpid(), "renew_s": self._renew_s})

    def _times(self) -> dict[str, float]:
        """Return when each lease was written last, by the store's clock."""
        selector = pafs.FileSelector(self._store.path(LEASES), allow_not_found=True)
        infos = [info for info in self._store.filesystem.get_file_info(selector) if info.is_file]
        return {f"{LEASES}/{info.base_name}": info.mtime_ns / 1e9 for info in infos}

    def _held(self, name: str, age: float) -> str:
        try:
            holder = json.loads(self._store.read_bytes(name))
            who = f"process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, KeyError, TypeError):  # it ended in this moment
            who = "another process"
        return (
            f"a study must have one driver, but {who} is running {self._study}, seen {max(0.0, age):.0f} s ago. Wait "
            f"for it, or give --study another name; if it was killed, try again in {self._stale_s - age:.0f} s."
        )
