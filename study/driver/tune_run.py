"""Run a study's trials under Ray Tune: search with racing, baselines, confirm. Records are the only state."""

import contextlib
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from study.driver.lost_workers import StopOnFailure, lost_workers_reported_alike
from study.driver.nodes import check_nodes
from study.driver.progress import Progress
from study.driver.recorder import Recorder
from study.driver.session import RunOptions, ray_session
from study.host.code import code_fingerprint, shared_versions
from study.host.signals import handled
from study.plan.plan import Plan
from study.plan.trial_spec import TrialSpec
from study.records.manifest import MANIFEST
from study.records.store import RecordStore
from study.search.asha import METRIC, CellASHA, is_raced
from study.search.queue import StudyTrials
from study.trial.ledger import Ledger
from study.trial.outcome import Outcome, recorded_outcomes

SEARCH_SHARE = 0.5  # of the budget; the rest is for confirm trials


class Dealer(Searcher):
    """Hands the study's trials to Tune until all have ended or the deadline has passed.

    A job whose worker was lost is dealt again, without the trials recorded by then. Tune's own retries are not used:
    they would charge the trial for a dying machine that loses one worker after another.
    """

    def __init__(self, source: StudyTrials, recorder: Recorder, deadline: float | None):
        super().__init__(metric=METRIC, mode="max")
        self._source, self._recorder, self._deadline = source, recorder, deadline
        self._running: dict[str, list[TrialSpec]] = {}
        self._lost: list[list[TrialSpec]] = []

    def __getstate__(self) -> dict:
        return {}  # Tune pickles its searcher, but never restores it here

    def suggest(self, trial_id: str) -> dict | str | None:
        """Return the next job as a Tune config, None to wait, FINISHED at the end."""
        late = self._deadline is not None and time.monotonic() > self._deadline
        if late or self._recorder.failure is not None:
            return Searcher.FINISHED
        try:
            specs = self._next_lost() or self._source.next()
        except Exception as error:  # it could not write what the study has decided
            self._recorder.failure = error
            return Searcher.FINISHED
        if specs is None:
            return Searcher.FINISHED if self._source.finished and not self._running else None
        self._running[trial_id] = specs
        return {"specs": [spec.as_dict() for spec in specs], "trial_ids": [spec.trial_id for spec in specs]}

    def _next_lost(self) -> list[TrialSpec] | None:
        """Return the unrecorded trials of a lost job."""
        while self._lost:
            specs = self._lost.pop(0)
            if rest := [spec for spec in specs if not self._recorder.has_recorded(spec)]:
                return rest
        return None

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        """Note the end of a job, unless the study is stopping."""
        if self._recorder.failure is not None:
            return
        specs = self._running.pop(trial_id)
        if error:
            self._lost.append(specs)  # Tune calls the recorder after this

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


def trainable_for(store_uri: str, fingerprint: str, versions: dict[str, str | None]) -> Callable[[dict], None]:
    """Return the function that a worker runs: a job's trials one after the other, reporting starts and updates.

    It is a nested function with its own imports so that Ray pickles it by value: a node with other code than the
    driver's can still load it and report a refusal. Tune stops a pruned trial inside `tune.report` by SystemExit,
    after the report has been sent.
    """

    def run_job(config: dict) -> None:
        try:
            from study.host.code import check_code, check_versions

            check_code(fingerprint)
            check_versions(versions)
            from study.plan.trial_spec import TrialSpec
            from study.records.store import RecordStore
            from study.trial.rows import base_row
            from study.trial.run import run_trial
            from study.trial.update import TrialUpdate
        except ImportError as error:
            return send(refusal=f"every node must have this project's code, but {error}. Install it on all nodes.")
        except ValueError as error:  # of check_code
            return send(refusal=str(error))
        store = RecordStore.at(store_uri)
        for values in config["specs"]:
            spec = TrialSpec(**values)
            report(TrialUpdate(spec.trial_id, base_row(spec), begins=True))
            for update in run_trial(spec, store):
                report(update)

    def report(update) -> None:
        index = update.evaluation["eval_index"] if update.evaluation is not None else 0
        value = update.row.get("val_hit_at_5")
        send(eval_index=index, val_hit_at_5=value, final=update.final, refusal=update.refusal, update=update)

    def send(*, eval_index=0, val_hit_at_5=None, final=False, refusal=None, update=None) -> None:
        from ray import tune

        metric = 0.0 if val_hit_at_5 is None else val_hit_at_5  # Tune needs a float; the record has null
        tune.report(
            {"eval_index": eval_index, "val_hit_at_5": metric, "final": final, "refusal": refusal, "update": update}
        )

    return run_job


def run_study(
    plan: Plan,
    store: RecordStore,
    store_uri: str,
    options: RunOptions,
    progress: Progress,
    manifest: dict[str, Any],
) -> int:
    """Run the trials missing from the records and return the number of trials recorded.

    manifest: its `candidates` and `chosen` are continued, and it is written again whenever they change.
    Raises: KeyboardInterrupt on Ctrl-C or SIGTERM; the error that prevented a record from being written.
    """
    started = time.monotonic()
    trials = store.read("trials")
    trials = trials.assign(status=trials.status.replace(dict.fromkeys(options.repeated, "failed")))
    known = recorded_outcomes(trials, store.read("curves"))
    ledger = Ledger(store, trials, known)
    save = partial(store.write_json, MANIFEST, manifest)
    todo = StudyTrials(plan, ledger, manifest, save, _deadline(started, options, SEARCH_SHARE))
    if todo.has_work():
        scheduler = race_for(plan, known)
        recorder = Recorder(ledger, scheduler, progress, plan.space.trial_limit_s)
        dealer = Dealer(todo, recorder, _deadline(started, options, 1.0))
        with (
            stopped_by_signals(recorder),
            ray_session(options) as num_workers,
            lost_workers_reported_alike(),
            progress.shown(todo.missing),
        ):
            check_nodes(plan, store_uri, options)
            resources = _resources(plan.device, num_workers)
            job = trainable_for(store_uri, code_fingerprint(), shared_versions())
            fit(job, dealer, scheduler, recorder, resources, num_workers)
    return len(ledger.rows)


def _deadline(started: float, options: RunOptions, share: float) -> float | None:
    return None if options.budget_s is None else started + share * options.budget_s


def race_for(plan: Plan, known: dict[str, Outcome]) -> CellASHA:
    """Return the races of all cells, their rungs filled from the records."""
    racing = plan.space.racing
    scheduler = CellASHA(plan.num_evaluations, racing.grace_period, racing.reduction_factor)
    raced = {name: one for name, one in known.items() if is_raced("search", json.loads(one.config))}
    for trial_id, outcome in raced.items():
        scheduler.fill_rungs((outcome.cell_id, outcome.replicate), trial_id, outcome.reported)
    return scheduler


def fit(
    job: Callable[[dict], None],
    dealer: Dealer,
    scheduler: CellASHA,
    recorder: Recorder,
    resources: dict[str, float],
    num_workers: int,
) -> None:
    """Run the dealer's jobs as one Tune experiment, in a temporary folder."""
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
                stop=StopOnFailure(recorder.has_failed),
                verbose=0,
            ),
        ).fit()
    except Exception as error:
        raise recorder.failure or error from None  # after a signal, Ray's own processes fail as well
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if recorder.failure is not None:
        raise recorder.failure


@contextlib.contextmanager
def stopped_by_signals(recorder: Recorder) -> Iterator[None]:
    """Stop the study on SIGINT and SIGTERM, even if Ray swallows the exception: `recorder.failure` counts."""

    def interrupt(signum: int, frame: object) -> None:
        recorder.failure = KeyboardInterrupt()
        raise recorder.failure

    with handled({signal.SIGINT: interrupt, signal.SIGTERM: interrupt}):
        yield


def _resources(device: str, num_workers: int) -> dict[str, float]:
    """Return one CPU per trial, and its share of the GPUs if they are used."""
    if device != "cuda":
        return {"cpu": 1}
    return {"cpu": 1, "gpu": min(1.0, ray.cluster_resources().get("GPU", 0) / num_workers)}
