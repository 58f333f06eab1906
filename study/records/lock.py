"""Lock a study, so that two drivers never write to it: a file lock in a folder, a lease on an object store."""

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
RENEWALS_TO_EXPIRY = 4  # a lease expires after this many periods without renewal: its driver is dead or cut off
LEASES = "drivers"
log = logging.getLogger("study")


@contextlib.contextmanager
def locked(store: RecordStore, renew_s: float = RENEW_S) -> Iterator[None]:
    """Lock a study. Raises: InputError if another driver holds it, or takes it over."""
    if store.is_local:
        with _flock(Path(store.root)):
            yield
        return
    lease = Lease(store, renew_s)
    lease.acquire()
    try:
        with _interruptible():
            yield
    except KeyboardInterrupt:
        if lease.lost is not None:
            raise InputError(lease.lost) from None
        raise
    finally:
        lease.release()


def _interruptible() -> contextlib.AbstractContextManager[None]:
    """Let SIGINT stop a driver that loses its lease, even in a background job, where shells ignore SIGINT."""
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
            f"a study must have one driver, but another process is running {folder.name}. Wait until it ends, or "
            "choose another name with --study."
        ) from error
    try:
        yield
    finally:
        os.close(handle)


class Lease:
    """An object `drivers/<token>.json` that a thread rewrites while the driver is alive.

    A driver writes its own object, then lists all of them. The listing contains every object written before it (S3 is
    strongly consistent), so of two drivers at least one sees the other. A driver that sees a lease that has not expired
    gives up, so both never continue; two that start at the same moment may both give up. Ages are differences between
    the store's own times, so no two clocks are compared. lost: why this driver must stop, or None.
    """

    def __init__(self, store: RecordStore, renew_s: float):
        self._store, self._renew_s = store, renew_s
        self._name = f"{LEASES}/{uuid.uuid4().hex[:12]}.json"
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, daemon=True)
        self.lost: str | None = None

    @property
    def _expiry_s(self) -> float:
        return RENEWALS_TO_EXPIRY * self._renew_s

    def acquire(self) -> None:
        """Acquire the study and delete expired leases. Raises: InputError naming the driver that holds it."""
        self._write()
        try:
            times = self._times()
            ages = {name: times[self._name] - at for name, at in times.items() if name != self._name}
            if valid := {name: age for name, age in ages.items() if age < self._expiry_s}:
                raise InputError(self._held(*min(valid.items(), key=lambda item: item[1])))
            for name in ages:
                self._store.delete(name)
        except BaseException:
            self._store.delete(self._name)
            raise
        self._thread.start()

    def release(self) -> None:
        """Stop renewing and remove the lease."""
        self._released.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # it will expire
            self._store.delete(self._name)

    def _keep_renewing(self) -> None:
        """Renew until released; stop the driver if its lease is gone or was not renewed for too long."""
        renewed = time.monotonic()
        while not self._released.wait(self._renew_s):
            try:
                if self._is_late(renewed):
                    return self._stop("could not renew its lease, so another driver may take over")
                if not self._store.exists(self._name):
                    return self._stop("lost its lease to another driver")
                begun = time.monotonic()
                self._write()
                if self._is_late(renewed):  # stalled before the write, which may have recreated a deleted lease
                    return self._stop("renewed its lease too late, so another driver may have taken over")
                renewed = begun
            except Exception as error:  # whatever the error, try again
                log.warning("the lease could not be renewed: %s", error)

    def _is_late(self, renewed: float) -> bool:
        """Return whether the last renewal was so long ago that another driver may see the lease as expired."""
        return time.monotonic() - renewed > self._expiry_s - self._renew_s

    def _stop(self, reason: str) -> None:
        self.lost = (
            f"a study must have one driver, but this driver of {self._study} {reason}. It stops; nothing recorded is "
            "lost. Run it again with --resume when no other driver is running."
        )
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # like Ctrl-C, this also interrupts a wait

    @property
    def _study(self) -> str:
        return self._store.root.rpartition("/")[2]

    def _write(self) -> None:
        self._store.write_json(self._name, {"host": socket.gethostname(), "pid": os.getpid(), "renew_s": self._renew_s})

    def _times(self) -> dict[str, float]:
        """Return when each lease was last written, by the store's clock."""
        selector = pafs.FileSelector(self._store.path(LEASES), allow_not_found=True)
        infos = [info for info in self._store.filesystem.get_file_info(selector) if info.is_file]
        return {f"{LEASES}/{info.base_name}": info.mtime_ns / 1e9 for info in infos}

    def _held(self, name: str, age: float) -> str:
        try:
            holder = json.loads(self._store.read_bytes(name))
            who = f"process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, KeyError, TypeError):  # it has just ended
            who = "another process"
        return (
            f"a study must have one driver, but {who} is running {self._study}, last seen {max(0.0, age):.0f} s ago. "
            "Wait until it ends, or choose another name with --study; "
            f"if it was killed, try again in {self._expiry_s - age:.0f} s."
        )
