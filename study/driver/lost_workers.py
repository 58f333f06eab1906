"""Make Tune treat every lost worker alike, and stop an experiment whatever its trials do."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager  # Tune has no public hook for it
from ray.exceptions import RayActorError, RayError, RayTaskError

OUT_OF_MEMORY = "running low on memory"  # in Ray's message when its memory monitor kills a worker


@contextlib.contextmanager
def lost_workers_reported_alike() -> Iterator[None]:
    """Let Tune continue when Ray's memory monitor kills a worker, or when a report is lost with its node.

    For both, Ray raises a RayError that is neither a RayActorError nor a RayTaskError, and Tune would end the
    experiment. Inside the block, Tune gets a RayActorError instead.
    """
    original = RayActorManager._actor_task_failed

    def as_lost_worker(manager: RayActorManager, tracked_actor_task: object, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, (RayActorError, RayTaskError)):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        original(manager, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = as_lost_worker
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = original


def cause_of_loss(job: tune.experiment.Trial) -> str:
    """Return Ray's reason for losing a job's worker, in one line, from the error file that Tune wrote; "" if none."""
    try:
        message = Path(job.error_file).read_text(errors="replace").splitlines()[1:]  # without Tune's headline
    except (OSError, TypeError):
        return ""
    lines = [line.strip() for line in message if line.strip()]
    if not lines:
        return ""
    # out of memory: the cause, then advice; otherwise: details, then the cause
    return lines[0] if OUT_OF_MEMORY in lines[0] else lines[-1]


def lost_to(cause: str) -> str:
    """Return the stop_reason of a trial whose worker died: `oom` if Ray's memory monitor killed it.

    A worker killed by the kernel's OOM killer looks like any other killed worker.
    """
    return "oom" if OUT_OF_MEMORY in cause else "worker_lost"


class StopOnFailure(tune.Stopper):
    """Stops the whole experiment once a study has failed, including trials that hang or wait for a machine."""

    def __init__(self, has_failed: Callable[[], bool]):
        self._has_failed = has_failed

    def __getstate__(self) -> dict:
        return {"_has_failed": bool}  # Tune pickles its stopper, but never restores it here

    def __call__(self, trial_id: str, result: dict) -> bool:
        return self._has_failed()

    def stop_all(self) -> bool:
        return self._has_failed()
