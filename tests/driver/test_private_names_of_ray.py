"""Ray and Optuna still have the private names, messages and arguments that the driver and the search rely on.

A release may change them without notice: pyproject.toml bounds both packages. Each failure names what changed and where
it is used.
"""

import inspect
import mmap
import pkgutil
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import ray
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from study.driver.lost_workers import OUT_OF_MEMORY, cause_of_loss
from study.driver.session import QUIET
from study.search.asha import Racer

RAY = Path(ray.__file__).parent


def private(name: str, used_in: str) -> object:
    """Return `module:attribute`, or fail with a sentence."""
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{name} no longer exists ({error}), but {used_in} uses it.")


def test_tune_handles_every_failed_task_in_one_method():
    name = "ray.air.execution._internal.actor_manager:RayActorManager._actor_task_failed"
    method = private(name, "study/driver/lost_workers.py")
    assert list(inspect.signature(method).parameters) == ["self", "tracked_actor_task", "exception"], (
        f"{name} has other parameters, but lost_workers_reported_alike in study/driver/lost_workers.py replaces it."
    )


def test_the_memory_monitors_message_is_unchanged():
    with (RAY / "core" / "src" / "ray" / "raylet" / "raylet").open("rb") as file:
        found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ).find(OUT_OF_MEMORY.encode())
    assert found >= 0, (
        f"Ray's memory monitor no longer reports '{OUT_OF_MEMORY}', which study/driver/lost_workers.py takes for `oom`."
    )


def test_tune_writes_the_cause_of_a_lost_worker_below_a_headline_in_the_error_file(monkeypatch, tmp_path):
    monkeypatch.setattr(Trial, "local_path", str(tmp_path))  # it is in Ray's session folder, and no Ray runs here
    trial = Trial("any", stub=True)
    trial.handle_error(RayActorError(error_msg="its node died"))
    assert cause_of_loss(trial) == "its node died", (
        "Tune no longer writes the cause to Trial.error_file, where study/driver/lost_workers.py reads it."
    )


def test_a_tune_trial_holds_its_actor():
    trial = Trial("any", stub=True)
    actor = SimpleNamespace(get_auto_filled_metrics=SimpleNamespace(remote=lambda **_: None))
    trial.set_ray_actor(actor)
    assert getattr(trial.temporary_state, "ray_actor", None) is actor, (
        "Trial.temporary_state.ray_actor is no longer the actor, which study/driver/recorder.py kills."
    )


def test_ray_keeps_a_loopback_address_if_its_constant_is_false(monkeypatch):
    constants, used_in = "ray._private.ray_constants", "study/driver/session.py"
    private(f"{constants}:ENABLE_RAY_CLUSTER", used_in)
    resolve = private("ray._private.services:resolve_ip_for_localhost", used_in)
    monkeypatch.setattr("ray._private.worker._global_node", None)  # a running Ray already has an address
    monkeypatch.setattr(f"{constants}.ENABLE_RAY_CLUSTER", False)
    assert resolve("127.0.0.1") == "127.0.0.1", (
        f"Ray replaces loopback addresses despite {constants}.ENABLE_RAY_CLUSTER = False, by which {used_in} keeps a "
        "local Ray unreachable from outside."
    )


def test_ray_installs_its_sigterm_handlers_through_one_function():
    name = "ray._private.utils:set_sigterm_handler"
    function = private(name, "study/driver/session.py")
    assert len(inspect.signature(function).parameters) == 1, (
        f"{name} has other parameters; study/driver/session.py replaces it."
    )
    for module in ("worker.py", "node.py"):
        assert "ray._private.utils.set_sigterm_handler(" in (RAY / "_private" / module).read_text(), (
            f"ray/_private/{module} no longer calls {name}, which study/driver/session.py replaces."
        )


@pytest.mark.parametrize("variable", [name for name in QUIET if name != "MALLOC_ARENA_MAX"])  # that one is glibc's
def test_ray_reads_every_environment_variable_that_a_session_sets(variable):
    sources = (path for folder in ("_private", "_common", "tune") for path in (RAY / folder).rglob("*.py"))
    assert any(variable.encode() in path.read_bytes() for path in sources), (
        f"Ray no longer reads {variable}, which QUIET in study/driver/session.py sets."
    )


def test_asha_races_objects_that_are_not_tune_trials():
    asha = ASHAScheduler(time_attr="t", metric="m", mode="max", max_t=4, grace_period=1, reduction_factor=2, brackets=1)
    decisions = []
    for trial_id, value in (("a", 0.9), ("b", 0.1)):
        asha.on_trial_add(None, Racer(trial_id))
        decisions.append(asha.on_trial_result(None, Racer(trial_id), {"t": 1, "m": value}))
    assert decisions == [TrialScheduler.CONTINUE, TrialScheduler.STOP], (
        "Ray's ASHAScheduler no longer races objects with a trial_id only, which study/search/asha.py gives it."
    )


def test_the_gaussian_process_takes_the_arguments_of_the_search():
    missing = {"seed", "n_startup_trials"} - set(inspect.signature(optuna.samplers.GPSampler).parameters)
    assert not missing, f"Optuna's GPSampler no longer takes {missing}, which study/search/candidates.py passes."
