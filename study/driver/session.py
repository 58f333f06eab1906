"""Start a local Ray or join a cluster, without Ray's output, and shut it down or leave it at the end."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

# Ray reads these when it is imported or started: less output, and Ctrl-C left to us.
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # Tune's own state is never restored
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",  # a stopped trial may take a while to exit
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MALLOC_ARENA_MAX": "2",  # each trial has its own thread, whose heap would stay: 1 GB after 20 trials
}
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray._private import ray_constants  # noqa: E402
from ray._private import utils as ray_utils  # noqa: E402

from lvm_core.errors import InputError  # noqa: E402
from study.host.signals import deferred_signals  # noqa: E402

# a lost worker becomes a row and a line in study.log; Ray would also print its traceback
for _name in ("ray.tune", "ray.train", "ray.air"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

OBJECT_STORE_BYTES = 100 << 20  # trials map the corpus from its file; only small reports pass through Ray


@dataclass(frozen=True)
class RunOptions:
    """How to run; no option changes a number.

    budget_s: no new trial starts after so many seconds. rerun_timeouts: repeat timed-out trials, not only failed ones.
    """

    address: str | None = None
    num_workers: int | None = None
    budget_s: float | None = None
    rerun_timeouts: bool = False

    @property
    def repeated(self) -> tuple[str, ...]:
        """The statuses of recorded trials that run again."""
        return ("failed", "timeout") if self.rerun_timeouts else ("failed",)


@contextlib.contextmanager
def ray_session(options: RunOptions) -> Iterator[int]:
    """Start a local Ray, or join the cluster at `address`; yield the number of trials to run at a time."""
    if options.address == "local":  # Ray would start a new cluster, reachable from outside
        raise InputError("--address must name a running cluster, but got 'local'. Leave it out for a local Ray.")
    # a local Ray has our environment; given a runtime_env, it would not use the workers that it has already started
    local = {"num_cpus": options.num_workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    joined = {"address": options.address, "runtime_env": {"env_vars": QUIET}}
    where = joined if options.address else {"address": "local", **local}
    try:
        _check_reachable(options.address)
        with deferred_signals(), _own_signals(), contextlib.nullcontext() if options.address else _loopback():
            ray.init(**where, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        place = f"the cluster at {options.address}" if options.address else "a local Ray"
        raise InputError(
            f"the study needs {place}, but it did not answer: {error}. Start one with `ray start --head`, or leave "
            "--address out."
        ) from error
    try:
        yield options.num_workers or _all_cpus()
    finally:
        with deferred_signals():
            ray.shutdown()


def _loopback() -> contextlib.AbstractContextManager[None]:
    """Make a Ray started inside the block listen on 127.0.0.1 only, as Ray itself does on macOS.

    Ray replaces a loopback address by one reachable from outside unless this constant is false.
    """
    return _replaced(ray_constants, "ENABLE_RAY_CLUSTER", False)


def _own_signals() -> contextlib.AbstractContextManager[None]:
    """Keep Ray from handling SIGTERM: it would kill its processes while the driver connects to them."""
    return _replaced(ray_utils, "set_sigterm_handler", lambda handler: None)


@contextlib.contextmanager
def _replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _check_reachable(address: str | None) -> None:
    """Try to connect to HOST:PORT first: Ray itself retries a dead address for minutes. Raises: OSError."""
    host, colon, port = (address or "").rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _all_cpus() -> int:
    """Return the CPUs of the cluster. Raises: InputError if it has none yet."""
    count = int(ray.cluster_resources().get("CPU", 0))
    if count < 1:
        raise InputError(
            "--workers must be given while the cluster has no CPUs yet and scales up on demand. Add --workers N."
        )
    return count
