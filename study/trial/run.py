"""Run one trial on a worker and yield its record as it grows. Independent of Ray."""

import gc
import json
import socket
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, lru_cache

import numpy as np
import torch

from lvm_core.baseline_task import BaselineResult, BaselineTask
from lvm_core.baselines import ORACLE, measure_baseline, oracle
from lvm_core.checkpoint import model_files
from lvm_core.context_use import context_use
from lvm_core.dataset import Dataset
from lvm_core.errors import DivergedError, InputError
from lvm_core.evaluation import Measurement
from lvm_core.ranks import chance_hit_at_k
from lvm_core.remote import without_secrets
from lvm_core.trainer import Trainer
from study.host.machine import peak_rss_bytes, reset_peak_rss
from study.plan.trial_spec import TrialSpec
from study.records.store import RecordStore
from study.space.recipe import Recipe
from study.trial.node import check_sees, load_dataset, one_thread
from study.trial.rows import (
    base_row,
    context_use_columns,
    curve_row,
    num_kept_lengths,
    progress_columns,
    rank_columns,
    result_columns,
)
from study.trial.update import TrialUpdate

LATENCY_CALLS, LATENCY_WARM_UP = 40, 5


def run_trial(spec: TrialSpec, store: RecordStore | None = None) -> Iterator[TrialUpdate]:
    """Yield an update after every evaluation; the last one is final. Any exception becomes a final row or a refusal."""
    started = time.perf_counter()
    freeze_imports()
    gc.collect()  # the previous trial may have left reference cycles that hold its weights
    reset_peak_rss()
    row = base_row(spec)
    last: TrialUpdate | None = None
    try:
        for update in _work(spec, row, started, store):
            last = update
            yield update
    except InputError as error:
        yield TrialUpdate(spec.trial_id, row, refusal=str(error))
    except DivergedError as error:
        yield _ended(spec, last, row, "diverged", "nan", str(error), started)
    except Exception as error:
        # the one place where a trial's exception becomes a row
        reason = "oom" if _is_out_of_memory(error) else "error"
        yield _ended(spec, last, row, "failed", reason, without_secrets(traceback.format_exc()), started)


@cache
def freeze_imports() -> None:
    """Exclude imported modules from garbage collection, once per process: scanning them costs 0.25 s per trial."""
    gc.collect()
    gc.freeze()


def _work(spec: TrialSpec, row: dict, started: float, store: RecordStore | None) -> Iterator[TrialUpdate]:
    one_thread()
    if store is not None:
        check_sees(store)
    dataset = load_dataset(spec)
    row |= _shared_facts(spec, dataset)
    if spec.stage == "baseline":
        yield _run_baseline(spec, dataset, row, started)
    else:
        yield from _run_model(spec, dataset, row, started, store)


@lru_cache(maxsize=32)
def _oracle(dataset: Dataset, context_length: int) -> BaselineResult:
    return oracle(BaselineTask(dataset, context_length))


def _shared_facts(spec: TrialSpec, dataset: Dataset) -> dict:
    queries = dataset.queries["test"]
    pool_size = queries.pool_size
    measured = dataset.oracle is not None and spec.stage != "search"
    oracle_hit_at_5 = _oracle(dataset, spec.context_length).test.hit_at(5) if measured else None
    return {
        "num_queries": len(queries.positions),
        "pool_size": pool_size,
        "chance_hit_at_5": chance_hit_at_k(5, pool_size),
        "oracle_hit_at_5": oracle_hit_at_5,
    }


def _run_baseline(spec: TrialSpec, dataset: Dataset, row: dict, started: float) -> TrialUpdate:
    name = spec.recipe["model"]
    if name == ORACLE:
        result = _oracle(dataset, spec.context_length)
    else:
        task = BaselineTask(dataset, spec.context_length)
        result = measure_baseline(name, task, spec.num_sequences, spec.replicate_seed)
    row |= {"status": "completed", "config": json.dumps({**spec.recipe, **result.setting}, sort_keys=True)}
    row |= {"device": "cpu", "precision": "float32"}
    measured = {"validation": result.validation, "test": result.test}
    return _final(spec, dataset, row, measured, None, started)


def _run_model(
    spec: TrialSpec, dataset: Dataset, row: dict, started: float, store: RecordStore | None
) -> Iterator[TrialUpdate]:
    recipe = Recipe(**spec.recipe)
    config = recipe.training_part(spec.context_length, spec.num_sequences, spec.patience)
    trainer = Trainer(dataset, recipe.model_part(dataset.corpus.dim), config, spec.replicate_seed)
    row |= {"num_parameters": trainer.model.num_parameters()}
    for evaluation in trainer.run():
        row |= progress_columns(trainer, evaluation) | {"wall_s": time.perf_counter() - started}
        curve = curve_row(spec, evaluation)
        if evaluation.stop_reason is None:
            new = {"validation": evaluation.validation} if trainer.best is evaluation else {}
            yield TrialUpdate(spec.trial_id, dict(row), curve, rank_columns(spec, dataset, new))
            continue
        row |= {"status": "completed", "stop_reason": evaluation.stop_reason}
        measured, use = {"validation": trainer.best.validation}, {}
        if spec.stage == "confirm":
            measured["test"] = trainer.evaluator.measure(trainer.restore_best(), "test")
            row |= _latency(trainer, dataset)
            if _measures_context_use(spec, dataset):
                use = context_use(
                    trainer.evaluator, trainer.model, dataset, spec.replicate_seed, whole=measured["test"]
                )
            if store is not None:
                _save_checkpoint(spec, trainer, recipe.model_part(dataset.corpus.dim), store)
        yield _final(spec, dataset, row | num_kept_lengths(use), measured, curve, started, use)


def _measures_context_use(spec: TrialSpec, dataset: Dataset) -> bool:
    """Return whether a confirm trial measures how far it uses its context: one of the study's largest C, on test
    queries of its own.
    """
    return dataset.split is not None and spec.context_length == dataset.config.max_context > 1


def _final(
    spec: TrialSpec,
    dataset: Dataset,
    row: dict,
    measured: dict[str, Measurement],
    curve: dict | None,
    started: float,
    use: dict[int, np.ndarray] | None = None,
) -> TrialUpdate:
    row |= result_columns("val", measured["validation"])
    if "test" in measured:
        row |= result_columns("test", measured["test"])
    row |= {"peak_rss_bytes": peak_rss_bytes(), "wall_s": time.perf_counter() - started}
    row |= {"finished_at": datetime.now(UTC)}
    tables = {"ranks": rank_columns(spec, dataset, measured), "context_use": context_use_columns(spec, dataset, use)}
    return TrialUpdate(spec.trial_id, dict(row), curve, **tables, final=True)


def _ended(
    spec: TrialSpec, last: TrialUpdate | None, row: dict, status: str, reason: str, error: str, started: float
) -> TrialUpdate:
    """Return the final row of a trial that broke off, with the measurements made before."""
    ended = {"status": status, "stop_reason": reason, "error": error, "finished_at": datetime.now(UTC)}
    known = last.row if last is not None else row
    return TrialUpdate(spec.trial_id, {**known, **ended, "wall_s": time.perf_counter() - started}, final=True)


def _latency(trainer: Trainer, dataset: Dataset) -> dict:
    """Time the prediction of one context, on this device."""
    queries = dataset.queries["validation"]
    rows = queries.stream.context_rows(queries.positions[:1], trainer.config.context_length)
    context = trainer.source.gather(rows)
    times = []
    with torch.no_grad():
        for _ in range(LATENCY_WARM_UP + LATENCY_CALLS):
            started = time.perf_counter()
            trainer.model(context).cpu()
            times.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.percentile(times[LATENCY_WARM_UP:], [50, 95])
    return {"latency_ms_p50": float(p50), "latency_ms_p95": float(p95)}


def _save_checkpoint(spec: TrialSpec, trainer: Trainer, model, store: RecordStore) -> None:
    facts = {
        "trial_id": spec.trial_id,
        "training": asdict(trainer.config),
        "corpus": spec.corpus_name,
        "corpus_fingerprint": spec.corpus_fingerprint,
        "trainer_version": spec.trainer_version,
    }
    try:
        for name, data in model_files(trainer.best_weights, model, facts).items():
            store.write_bytes(f"checkpoints/{spec.trial_id}/{name}", data)
    except OSError as error:  # the next trial would fail too: stop the study, and run this one again on resume
        raise InputError(
            f"every node must be able to write to the study's folder, but {socket.gethostname()} is not: {error}. Free "
            "some space or fix the permissions, then run the study again with --resume."
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Recognise memory errors; PyTorch's CPU allocator raises a plain RuntimeError."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "DefaultCPUAllocator: can't allocate memory" in str(error)
