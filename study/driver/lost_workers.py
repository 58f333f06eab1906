"""Have Tune tell every way of losing a worker as a lost worker, and stop an experiment whatever its trials do."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager  # Tune offers no way to give it another
from ray.exceptions import RayActorError, RayError, RayTaskError

OUT_OF_MEMORY = "running low on memory"  # in what Ray says where its memory monitor has killed a worker


@contextlib.contextmanager
def told_as_lost_workers() -> Iterator[None]:
    """Have Tune go on where a worker is taken by Ray's memory monitor, or where a report is lost with its node.

    Tune ends the experiment on a RayError that is neither of an actor nor raised in its task: Ray raises such ones for
    both. Meanwhile they reach Tune as the loss of the worker that they concern.
    """
    tell = RayActorManager._actor_task_failed

    def tell_as_lost(manager: RayActorManager, tracked_actor_task: object, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, (RayActorError, RayTaskError)):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        tell(manager, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = tell_as_lost
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = tell


def cause_of_loss(job: tune.experiment.Trial) -> str:
    """Return in a line what Ray said when it lost a job's worker, as Tune has just noted it; "" if it said nothing."""
    try:
        said = Path(job.error_file).read_text(errors="replace").splitlines()[1:]  # below Tune's own headline
    except (OSError, TypeError):
        return ""
    lines = [line.strip() for line in said if line.strip()]
    if not lines:
        return ""
    return lines[0] if OUT_OF_MEMORY in lines[0] else lines[-1]  # then advice follows; else details come before


def lost_to(cause: str) -> str:
    """Return the stop_reason of a trial whose worker died: `oom` where Ray's memory monitor took it for its memory.

    A worker that the kernel killed for its memory looks like any that was killed.
    """
    return "oom" if OUT_OF_MEMORY in cause else "worker_lost"


class StopOnFailure(tune.Stopper):
    """Stops the whole experiment once a study has failed: trials that hang, or wait for a machine, too."""

    def __init__(self, has_failed: Callable[[], bool]):
        self._has_failed = has_failed

    def __getstate__(self) -> dict:
        return {"_has_failed": bool}  # Tune pickles its stopper; nothing of it is needed again

    def __call__(self, trial_id: str, result: dict) -> bool:
        return self._has_failed()

    def stop_all(self) -> bool:
        return self._has_failed()
