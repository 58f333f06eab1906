"""Write a study's manifest: its configuration, its data and its cost."""

import contextlib
import hashlib
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from lvm_core.chains import run_starts
from lvm_core.corpus import cache_dir
from lvm_core.data_config import DataConfig
from lvm_core.dataset import Dataset
from lvm_core.errors import InputError
from lvm_core.queries import QuerySet
from lvm_core.remote import without_secrets
from lvm_core.split import PARTS, NearCopies, find_near_copies
from study.host.machine import code_version, hardware, versions
from study.plan.plan import Plan
from study.records.manifest import MANIFEST
from study.records.store import RecordStore


def describe(plan: Plan, command: str) -> dict:
    """Return the entries that are fixed before the first trial."""
    corpus = plan.corpus
    return {
        "study": plan.study,
        "question": plan.space.question,
        "protocol": plan.space.protocol,
        "command": without_secrets(command),
        "seed": plan.space.seed,
        "space": plan.space.model_dump(mode="json"),
        "corpus": {
            "name": corpus.name,
            "path": without_secrets(corpus.path),
            "fingerprint": corpus.fingerprint,
            "num_vectors": corpus.num_vectors,
            "dim": corpus.dim,
            "num_chains": corpus.num_chains,
        },
        "split": describe_split(plan.dataset, plan.datasets[0][0]),
        "splits": [describe_split(dataset, protocol) for protocol, dataset in plan.datasets],
        "variants": describe_variants(plan),
        "cells": [cell.cell_id for cell in plan.cells],
        "infeasible": [vars(cell) for cell in plan.infeasible],
        "warnings": plan.warnings(),
        "device": plan.device,
        "precision": plan.precision,
        "trainer_version": plan.trainer_version,
        "code_version": code_version(),
        "versions": versions(),
        "hardware": hardware(),
        "candidates": [],
        "chosen": None,
        "history": [],
        "runs": [],
    }


def describe_split(dataset: Dataset, protocol: str) -> dict:
    """Return how the data was split, and the result of its audit.

    `test` is `own`, or `validation` for the published split by window, which measures a run on the same windows that
    selected its epoch.
    """
    parts = [] if dataset.split is None else dataset.split.part_of_chain
    return {
        "fingerprint": dataset.fingerprint,
        "protocol": protocol,
        "kind": dataset.config.split,
        "test": "validation" if dataset.split is None else "own",
        "max_context": dataset.config.max_context,
        "num_chains": {part: int((parts == n).sum()) for n, part in enumerate(PARTS)} if len(parts) else {},
        "num_queries": len(dataset.queries["test"].positions),
        "num_query_chains": {part: len(set(q.chain_ids.tolist())) for part, q in dataset.queries.items()},
        "pool_size": dataset.queries["test"].pool_size,
        "candidates": describe_candidates(dataset.queries["test"], dataset.config),
        "num_training_targets": len(dataset.train_positions),
        "train_lengths": train_lengths(dataset),
        "min_coherence": dataset.config.min_coherence,
        "removed": dataset.removed(),
        "audit": dataset.audit().as_dict(),
    }


def train_lengths(dataset: Dataset) -> dict[str, int]:
    """Count the stretches that training windows are cut from, by their length in vectors: documents, or the whole part
    where windows may cross them.
    """
    crosses = (dataset.config.train_boundary or dataset.config.boundary) == "stream"
    starts = [0, len(dataset.train.rows)] if crosses else run_starts(dataset.train.chain_ids)
    lengths, counts = np.unique(np.diff(starts), return_counts=True)
    return {str(length): int(count) for length, count in zip(lengths, counts, strict=True)}


def describe_candidates(queries: QuerySet, config: DataConfig) -> dict:
    """Return what the test queries are ranked among: how much of their own context and document.

    own_context: the vectors of a query's own context that the pool has, before they are left out. own_document: the
    candidates of its document, its target among them. All are means over queries.
    """
    return {
        "exclude_context": config.exclude_context,
        "one_per_document": config.one_per_document,
        "own_context": float(queries.num_own_context.mean()),
        "own_document": float(queries.num_own_document.mean()),
        "document_hit_at_5": queries.document_hit_at_5,
    }


def describe_variants(plan: Plan) -> list[dict]:
    """Return the cell of each variant of each row; identical variants share one."""
    return [
        {
            "variant": cell.variant,
            "row": cell.row,
            "cell_id": kept.cell_id,
            "context_length": cell.context_length,
            "num_sequences": cell.num_sequences,
            "protocol": plan.setting_of(cell).space.protocol,
            "split_fingerprint": plan.dataset_of(cell).fingerprint,
        }
        for cell, kept in plan.cell_of.items()
        if cell.variant or cell.row
    ]


def near_copies(plan: Plan) -> dict:
    """Count near-copies across the split, and name the test targets among them. The search is cached."""
    if plan.dataset.split is None:
        return {"search": "none: windows were split at random, so held-out vectors are themselves in training windows"}
    key = hashlib.sha256(plan.corpus.fingerprint.encode() + plan.dataset.split.part_of_chain.tobytes()).hexdigest()[:16]
    path = cache_dir() / f"near-copies-{key}.json"
    try:
        found = NearCopies(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        found = find_near_copies(plan.corpus, plan.dataset.split)
        RecordStore.at(path.parent).write_json(path.name, found.as_dict())
    return replace(found, test_rows=_targets_among(found.test_rows, plan)).as_dict()


def _targets_among(rows: list[int] | None, plan: Plan) -> list[int] | None:
    """Return the rows that are targets of test queries: so many at most enter the manifest."""
    targets = {row for _, dataset in plan.datasets for row in dataset.queries["test"].target_rows.tolist()}
    return None if rows is None else [row for row in rows if row in targets]


@contextmanager
def accounted_run(store: RecordStore, manifest: dict, num_workers: int) -> Iterator[dict]:
    """Record this run's times and outcome in the manifest, however it ends. Yields the run's entry."""
    run = {"started_at": _now(), "num_workers": num_workers, "ended": "running"}
    manifest["runs"].append(run)
    started, cpu = time.monotonic(), _cpu_seconds()
    store.write_json(MANIFEST, manifest)
    try:
        yield run
        run["ended"] = "done"
    except KeyboardInterrupt:
        run["ended"] = "interrupted"
        raise
    except Exception as error:
        run["ended"] = without_secrets(f"error: {error}")
        raise
    finally:
        failing = run["ended"] != "done"
        run |= {"finished_at": _now(), "wall_s": time.monotonic() - started, "driver_cpu_s": _cpu_seconds() - cpu}
        manifest["started_at"] = manifest["runs"][0]["started_at"]
        manifest["finished_at"] = run["finished_at"]
        manifest["wall_s"] = sum(entry.get("wall_s", 0.0) for entry in manifest["runs"])
        manifest["cpu_s"] = sum(entry.get("driver_cpu_s", 0.0) for entry in manifest["runs"]) + _trial_seconds(store)
        with contextlib.suppress(OSError) if failing else contextlib.nullcontext():  # report the first error
            store.write_json(MANIFEST, manifest)


def _trial_seconds(store: RecordStore) -> float:
    """Return the total wall seconds of the recorded trials, one thread each; 0 if they are unreadable."""
    with contextlib.suppress(InputError):
        return float(store.read("trials", ["wall_s"]).wall_s.sum())
    return 0.0


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
