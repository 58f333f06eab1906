"""Build the columns of a trial's record. A value that was not measured stays null."""

import json
import socket
from datetime import UTC, datetime

import numpy as np

from lvm_core.dataset import Dataset
from lvm_core.evaluation import Evaluation, Measurement
from lvm_core.loss_terms import recipe_weights, validation_terms
from lvm_core.queries import QuerySet
from lvm_core.trainer import Trainer
from study.host.machine import code_version, peak_rss_bytes
from study.plan.trial_spec import TrialSpec

OWN_COLUMNS = (
    "model", "anchor", "hidden_dim", "num_layers", *(weight.key for weight in recipe_weights()), "learning_rate",
    "batch_size", "num_negatives", "precision", "device",
)  # fmt: skip


def base_row(spec: TrialSpec) -> dict:
    """Return the columns that are known before a trial runs; all others are null."""
    now = datetime.now(UTC)
    return {
        **{key: getattr(spec, key) for key in ("study", "trial_id", "stage", "protocol", "cell_id")},
        **{key: getattr(spec, key) for key in ("context_length", "num_sequences", "replicate", "patience")},
        **{key: spec.recipe.get(key) for key in OWN_COLUMNS},
        "seed": spec.replicate_seed if spec.replicate is not None else spec.seed,
        "attempt": 1,
        "config": json.dumps(spec.recipe, sort_keys=True),
        "corpus": spec.corpus_name,
        "corpus_fingerprint": spec.corpus_fingerprint,
        "split_fingerprint": spec.split_fingerprint,
        "code_version": code_version(),
        "host": socket.gethostname(),
        "started_at": now,
        "finished_at": now,
    }


def progress_columns(trainer: Trainer, evaluation: Evaluation) -> dict:
    """Return the columns that change from one evaluation to the next."""
    best = trainer.best
    per_sequence = trainer.model.train_flops_per_sequence(trainer.config.context_length)
    return {
        "best_eval": best.eval_index,
        "best_step": best.step,
        "num_steps": evaluation.step,
        "sequences_seen": evaluation.sequences_seen,
        **result_columns("val", best.validation),
        "train_flops": per_sequence * evaluation.sequences_seen,
        "train_s": evaluation.elapsed_s - trainer.eval_s,
        "eval_s": trainer.eval_s,
        "peak_rss_bytes": peak_rss_bytes(),
    }


def metric_columns(prefix: str, measured: Measurement) -> dict:
    """Return the retrieval metrics of a measurement as columns."""
    hits = {f"{prefix}_hit_at_{k}": measured.hit_at(k) for k in (1, 5, 10)}
    return {**hits, f"{prefix}_mrr": measured.mrr, f"{prefix}_cosine": measured.cosine}


def result_columns(prefix: str, measured: Measurement) -> dict:
    """Return the columns of `trials` for one part: the metrics, and Hit@5 with the own context among the candidates."""
    return metric_columns(prefix, measured) | {f"{prefix}_hit_at_5_context_in_pool": measured.shared_hit_at_5}


def curve_row(spec: TrialSpec, evaluation: Evaluation) -> dict:
    """Return one row of `curves`."""
    validation = evaluation.validation
    return {
        "trial_id": spec.trial_id,
        **{key: getattr(evaluation, key) for key in ("eval_index", "step", "sequences_seen", "learning_rate")},
        **evaluation.train,
        "val_loss": validation.loss,
        **{term.validation_column: validation.loss_terms[term.name] for term in validation_terms()},
        **metric_columns("val", validation),
        "elapsed_s": evaluation.elapsed_s,
    }


def rank_columns(spec: TrialSpec, dataset: Dataset, measured: dict[str, Measurement]) -> dict | None:
    """Return the columns of `ranks` for the measured parts of the split, or None if there are none."""
    if not measured:
        return None
    parts = [(name, dataset.queries[name], measurement) for name, measurement in measured.items()]

    def column(values) -> np.ndarray:
        return np.concatenate([values(name, queries, m) for name, queries, m in parts])

    def split_name(name: str, queries: QuerySet, _: Measurement) -> np.ndarray:
        return np.full(len(queries.positions), name)

    return {
        "trial_id": np.full(sum(len(queries.positions) for _, queries, _ in parts), spec.trial_id),
        "split": column(split_name),
        "query_id": column(lambda _, queries, m: queries.target_rows),
        "chain_id": column(lambda _, queries, m: queries.chain_ids),
        "rank": column(lambda _, queries, m: m.rank),
        "num_ties": column(lambda _, queries, m: m.num_ties),
    }


def num_kept_lengths(use: dict[int, np.ndarray]) -> dict:
    """Return the column of `trials` that says how many lengths `context_use` has, if it has any."""
    return {"num_kept_lengths": len(use)} if use else {}


def context_use_columns(spec: TrialSpec, dataset: Dataset, use: dict[int, np.ndarray] | None) -> dict | None:
    """Return the columns of `context_use`: the mean of each document's queries. use: Hit@5 [Q] by vectors kept."""
    if not use:
        return None
    chains, chain_of_query, num_queries = np.unique(
        dataset.queries["test"].chain_ids, return_inverse=True, return_counts=True
    )
    means = [np.bincount(chain_of_query, hits, len(chains)) / num_queries for hits in use.values()]
    return {
        "trial_id": np.full(len(use) * len(chains), spec.trial_id),
        "num_kept": np.repeat([*use], len(chains)),
        "chain_id": np.tile(chains, len(use)),
        "num_queries": np.tile(num_queries, len(use)),
        "hit_at_5": np.concatenate(means),
    }
