"""Run a study's trials under Ray Tune: search with racing, baselines, confirm. Records are the only state."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Read by Ray when it is imported or started. Its chatter stays out of the way, and Ctrl-C reaches us.
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # Tune's own state is disposable
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",  # a stopped trial may take a while to unwind
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MALLOC_ARENA_MAX": "2",  # every trial has a thread of its own; each would keep a heap, 1 GB in all after 20 trials
}
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from lvm_core.errors import InputError  # noqa: E402
from study.ledger import Ledger  # noqa: E402
from study.plan import Plan  # noqa: E402
from study.progress import Progress  # noqa: E402
from study.records import RecordStore  # noqa: E402
from study.sampler import Outcome, recorded_outcomes  # noqa: E402
from study.scheduler import METRIC, CellASHA  # noqa: E402
from study.spec import TrialSpec  # noqa: E402
from study.stages import StudyTrials, confirmed_params  # noqa: E402
from study.trial import run_trial  # noqa: E402

OBJECT_STORE_BYTES = 100 << 20  # trials share the corpus as a mapped file; only small reports pass through
MAX_WORKER_LOSSES = 2  # retries of a trial whose worker died
SEARCH_SHARE = 0.5  # of a budget; the rest measures the winners


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which changes a number. budget_s: seconds after which no new trial starts."""

    address: str | None = None
    num_workers: int | None = None
    budget_s: float | None = None


class Dealer(Searcher):
    """Hands the study's trials to Tune until all are dealt or the deadline has passed."""

    def __init__(self, source: StudyTrials, recorder: "Recorder", progress: Progress, deadline: float | None):
        super().__init__(metric=METRIC, mode="max")
        self._source, self._recorder, self._progress, self._deadline = source, recorder, progress, deadline
        self._running: dict[str, list[TrialSpec]] = {}

    def __getstate__(self) -> dict:
        return {}  # Tune pickles its searcher; nothing here is needed again

    def suggest(self, trial_id: str) -> dict | str | None:
        """Return the next job as a Tune config, None to wait, FINISHED at the end."""
        late = self._deadline is not None and time.monotonic() > self._deadline
        if late or self._recorder.failure is not None:
            return Searcher.FINISHED
        specs = self._source.next()
        if specs is None:
            return Searcher.FINISHED if self._source.finished else None
        self._running[trial_id] = specs
        self._progress.started(specs)
        return {"specs": [spec.as_dict() for spec in specs]}

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        """Tell the source how a job ended, unless the study stops because a record could not be written."""
        if self._recorder.failure is None:
            self._source.ended(self._running.pop(trial_id))

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing was kept."""


class Recorder(tune.Callback):
    """Writes records as results arrive. A callback must not raise, so a failed write stops the study through `stop`."""

    def __init__(self, ledger: Ledger, scheduler: CellASHA, progress: Progress):
        self._ledger, self._scheduler, self._progress = ledger, scheduler, progress
        self.failure: BaseException | None = None

    def __getstate__(self) -> dict:
        return {}

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
        """Take a report out of Tune's result, so that Tune does not keep it, and record what has ended."""
        update = result.pop("update", None)
        if update is None or self.failure is not None:
            return
        if update.refusal is not None:
            self.failure = InputError(update.refusal)
            return
        with self._caught():
            raced_out, attempt = trial.trial_id in self._scheduler.raced_out, 1 + trial.num_failures
            row = self._ledger.update(update, raced_out=raced_out, attempt=attempt)
            self._progress.reported(update, row)

    def on_trial_error(self, iteration, trials, trial, **info) -> None:
        """Record a trial that was lost with its worker more often than it is retried."""
        if self.failure is not None:
            return
        with self._caught():
            error = str(trial.get_error() or "its worker died")
            for values in trial.config["specs"]:
                spec = TrialSpec(**values)
                self._progress.lost(spec, self._ledger.fail(spec, error, attempt=trial.num_failures))

    def stop(self, trial_id: str, result: dict) -> bool:
        """Tell Tune to stop everything once a record could not be written."""
        return self.failure is not None

    @contextlib.contextmanager
    def _caught(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error


def trainable_for(store_uri: str) -> Callable[[dict], None]:
    """Return the function that a worker runs: a job's trials one after the other, every update reported.

    It is defined inside, so that it travels by value and a worker does not import this module with all of Optuna.
    Tune stops a raced-out trial inside `tune.report`, by SystemExit: what counts has been reported before.
    """

    def run_job(config: dict) -> None:
        store = RecordStore.at(store_uri)
        for values in config["specs"]:
            for update in run_trial(TrialSpec(**values), store):
                index = update.evaluation["eval_index"] if update.evaluation is not None else 0
                value = update.row.get("val_hit_at_5")
                metric = 0.0 if value is None else value  # Tune needs a float; the record has null
                tune.report({"eval_index": index, "val_hit_at_5": metric, "final": update.final, "update": update})

    return run_job


def run_study(plan: Plan, store: RecordStore, store_uri: str, options: RunOptions, progress: Progress) -> int:
    """Run what the records lack and return the number of trials recorded.

    Raises: KeyboardInterrupt on Ctrl-C or SIGTERM; the error that kept a record from being written.
    """
    started = time.monotonic()
    trials = store.read("trials")
    known = recorded_outcomes(trials, store.read("curves"))
    ledger = Ledger(store, trials, known)
    todo = StudyTrials(plan, ledger, confirmed_params(plan, trials), _deadline(started, options, SEARCH_SHARE))
    if todo.has_work():
        scheduler = race_for(plan, known)
        recorder = Recorder(ledger, scheduler, progress)
        dealer = Dealer(todo, recorder, progress, _deadline(started, options, 1.0))
        with ray_session(options) as num_workers, stopped_by_signals(recorder), progress.shown():
            resources = _resources(plan.device, num_workers)
            fit(trainable_for(store_uri), dealer, scheduler, recorder, resources, num_workers)
    return len(ledger.rows)


def _deadline(started: float, options: RunOptions, share: float) -> float | None:
    return None if options.budget_s is None else started + share * options.budget_s


def race_for(plan: Plan, known: dict[str, Outcome]) -> CellASHA:
    """Return the races of all cells, their rungs filled from the records."""
    racing = plan.space.racing
    scheduler = CellASHA(plan.num_evaluations, racing.grace_evaluations, racing.reduction_factor)
    for trial_id, outcome in known.items():
        scheduler.show_recorded(outcome.cell_id, trial_id, outcome.curve)
    return scheduler


def fit(
    job: Callable[[dict], None],
    dealer: Dealer,
    scheduler: CellASHA,
    recorder: Recorder,
    resources: dict[str, float],
    num_workers: int,
) -> None:
    """Run all that the dealer deals as one Tune experiment, in a scratch folder that is removed."""
    scratch = tempfile.mkdtemp(prefix="lvm-tune-")
    try:
        tune.Tuner(
            tune.with_resources(job, resources),
            tune_config=tune.TuneConfig(
                search_alg=dealer,
                scheduler=scheduler,
                num_samples=-1,
                max_concurrent_trials=num_workers,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.config["specs"][0]["cell_id"],
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=scratch,
                callbacks=[recorder],
                stop=recorder.stop,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_WORKER_LOSSES),
            ),
        ).fit()
    except Exception as error:
        raise recorder.failure or error from None  # a signal also reaches Ray's own processes, which then fail loudly
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if recorder.failure is not None:
        raise recorder.failure


@contextlib.contextmanager
def stopped_by_signals(recorder: Recorder) -> Iterator[None]:
    """Stop the study on SIGINT and SIGTERM, also where the exception is lost inside Ray: what is noted here counts."""

    def interrupt(signum: int, frame: object) -> None:
        recorder.failure = KeyboardInterrupt()
        raise recorder.failure

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _resources(device: str, num_workers: int) -> dict[str, float]:
    """Return one CPU a trial, and its share of the GPUs where they are used."""
    if device != "cuda":
        return {"cpu": 1}
    return {"cpu": 1, "gpu": min(1.0, ray.cluster_resources().get("GPU", 0) / num_workers)}


@contextlib.contextmanager
def ray_session(options: RunOptions) -> Iterator[int]:
    """Start a local Ray, or join the cluster at `address`; yield the number of trials to run at a time."""
    local = {"address": "local", "num_cpus": options.num_workers, "object_store_memory": OBJECT_STORE_BYTES}
    where = {"address": options.address} if options.address else {**local, "include_dashboard": False}
    try:
        _check_reachable(options.address)
        ray.init(**where, log_to_driver=False, logging_level="error", runtime_env={"env_vars": QUIET})
    except (OSError, ValueError, RuntimeError) as error:
        place = f"the cluster at {options.address}" if options.address else "a local Ray"
        raise InputError(
            f"the study needs {place}, but it did not answer: {error}. Start one with `ray start --head`, or leave "
            "--address out."
        ) from error
    try:
        yield options.num_workers or _all_cpus()
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Knock at HOST:PORT first: Ray tries an address where nobody answers for minutes. Raises: OSError."""
    host, colon, port = (address or "").rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _all_cpus() -> int:
    """Return the CPUs of the cluster. Raises: InputError where it has none yet, since nobody could say how many."""
    count = int(ray.cluster_resources().get("CPU", 0))
    if count < 1:
        raise InputError(
            "--workers must be given where the cluster has no CPU yet and grows on demand. Add --workers N."
        )
    return count
