"""The columns of the record files. study.report.dictionary gives the meaning of each."""

import re

import pyarrow as pa

from lvm_core.loss_terms import LOSS_TERMS, recipe_weights, validation_terms

TEXT, INT, REAL, BIG = pa.string(), pa.int32(), pa.float64(), pa.int64()
WHEN = pa.timestamp("ms", tz="UTC")

TRIALS = pa.schema(
    [
        ("study", TEXT),
        ("trial_id", TEXT),
        ("attempt", INT),
        ("stage", TEXT),
        ("protocol", TEXT),
        ("cell_id", TEXT),
        ("context_length", INT),
        ("num_sequences", INT),
        ("replicate", INT),
        ("seed", BIG),
        ("model", TEXT),
        ("anchor", TEXT),
        ("hidden_dim", INT),
        ("num_layers", INT),
        *((weight.key, REAL) for weight in recipe_weights()),
        ("learning_rate", REAL),
        ("patience", INT),
        ("batch_size", INT),
        ("num_negatives", INT),
        ("precision", TEXT),
        ("device", TEXT),
        ("status", TEXT),
        ("stop_reason", TEXT),
        ("error", TEXT),
        ("best_eval", INT),
        ("best_step", INT),
        ("num_steps", INT),
        ("sequences_seen", BIG),
        ("pool_size", INT),
        ("num_queries", INT),
        ("val_hit_at_1", REAL),
        ("val_hit_at_5", REAL),
        ("val_hit_at_10", REAL),
        ("val_mrr", REAL),
        ("val_cosine", REAL),
        ("test_hit_at_1", REAL),
        ("test_hit_at_5", REAL),
        ("test_hit_at_10", REAL),
        ("test_mrr", REAL),
        ("test_cosine", REAL),
        ("chance_hit_at_5", REAL),
        ("oracle_hit_at_5", REAL),
        ("num_parameters", BIG),
        ("train_flops", REAL),
        ("train_s", REAL),
        ("eval_s", REAL),
        ("wall_s", REAL),
        ("peak_rss_bytes", BIG),
        ("latency_ms_p50", REAL),
        ("latency_ms_p95", REAL),
        ("corpus", TEXT),
        ("corpus_fingerprint", TEXT),
        ("split_fingerprint", TEXT),
        ("code_version", TEXT),
        ("host", TEXT),
        ("started_at", WHEN),
        ("finished_at", WHEN),
        ("config", TEXT),
        ("num_kept_lengths", INT),
        ("val_hit_at_5_context_in_pool", REAL),
        ("test_hit_at_5_context_in_pool", REAL),
    ]
)

CURVES = pa.schema(
    [
        ("trial_id", TEXT),
        ("eval_index", INT),
        ("step", INT),
        ("sequences_seen", BIG),
        ("learning_rate", REAL),
        ("train_loss", REAL),
        *((term.column, REAL) for term in LOSS_TERMS.values()),
        ("val_loss", REAL),
        ("val_cosine", REAL),
        *((term.validation_column, REAL) for term in validation_terms()),
        ("val_hit_at_1", REAL),
        ("val_hit_at_5", REAL),
        ("val_hit_at_10", REAL),
        ("val_mrr", REAL),
        ("elapsed_s", REAL),
    ]
)

RANKS = pa.schema(
    [
        ("trial_id", TEXT),
        ("split", TEXT),
        ("query_id", BIG),
        ("chain_id", BIG),
        ("rank", INT),
        ("num_ties", INT),
    ]
)

CONTEXT_USE = pa.schema(
    [
        ("trial_id", TEXT),
        ("num_kept", INT),
        ("chain_id", BIG),
        ("num_queries", INT),
        ("hit_at_5", REAL),
    ]
)

# columns without which a file is not a record: those of the first version that every later one keeps
ESSENTIAL = {
    "trials": {"study", "trial_id", "stage", "cell_id", "context_length", "status", "config"},
    "curves": {"trial_id", "eval_index", "step", "val_hit_at_5"},
    "ranks": {"trial_id", "split", "query_id", "rank", "num_ties"},
    "context_use": {"trial_id", "num_kept", "chain_id", "num_queries", "hit_at_5"},
}
TABLES = {"trials": TRIALS, "curves": CURVES, "ranks": RANKS, "context_use": CONTEXT_USE}
# ids of trials and cells, names of variants, rows and models: they are used in labels and file names
PLAIN = re.compile(r"\w[\w .+=%-]*")
STAGES = ("search", "confirm", "baseline")
# of search trials: the list of candidates, then the second round; confirm trials have 1, 2, …
SEARCH_REPLICATE, FINALS_REPLICATE = 0, -1
STATUSES = ("completed", "pruned", "diverged", "failed", "timeout", "infeasible")


def plain_name(text: str) -> str:
    """Return a name unchanged. Raises: ValueError unless it can be used in ids and file names."""
    if not PLAIN.fullmatch(text):
        raise ValueError(f"a name must be letters, digits, spaces and . _ + = % -, but got {text[:40]!r}")
    return text
