"""What every column of the record files means, stated once for the page and for docs/records.md."""

from lvm_core.loss_terms import LOSS_TERMS, recipe_weights, validation_terms

WEIGHTS = tuple(weight.key for weight in recipe_weights())
LOSSES = tuple(term.column for term in LOSS_TERMS.values())
VALIDATION_LOSSES = tuple(term.validation_column for term in validation_terms())
MEANINGS = "".join(f"; `{term.column}`: {term.meaning}" for term in LOSS_TERMS.values() if term.meaning)

DICTIONARY: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "trials": [
        (("study", "trial_id"), "the study; a hash of everything that determines the numbers"),
        (("attempt",), "1, or more after lost workers"),
        (("stage",), "`search`, `confirm` or `baseline`"),
        (("protocol",), "`controlled` or `as_reported`"),
        (("cell_id", "context_length", "num_sequences"), "the cell; N is null for baselines that train nothing"),
        (
            ("replicate", "seed"),
            "the joint draw of subset, weights and order, and its seed; 0: the list of candidates, -1: the second "
            "round, from 1: confirm",
        ),
        (("model", "anchor", "hidden_dim", "num_layers"), "the network, or the baseline's name"),
        ((*WEIGHTS, "learning_rate", "patience", "batch_size", "num_negatives"), "the recipe; patience in evaluations"),
        (("precision", "device"), "`float32` or `bfloat16`; `cpu`, `cuda` or `mps`"),
        (
            ("status", "stop_reason", "error"),
            "`completed`, `pruned`, `diverged`, `failed`, `timeout`, `infeasible`; why; what went wrong",
        ),
        (
            ("best_eval", "best_step", "num_steps", "sequences_seen"),
            "best evaluation and its step, steps run, sequences read",
        ),
        (("pool_size", "num_queries"), "candidates and queries of every Hit@K in the row"),
        (("val_hit_at_1", "val_hit_at_5", "val_hit_at_10", "val_mrr", "val_cosine"), "best evaluation on validation"),
        (
            ("test_hit_at_1", "test_hit_at_5", "test_hit_at_10", "test_mrr", "test_cosine"),
            "the same weights on test (confirm and baseline); `as_reported` has no test part: its validation again",
        ),
        (
            ("chance_hit_at_5", "oracle_hit_at_5"),
            "5 / pool; of the Kalman filter's prediction on test, where the process is known",
        ),
        (("num_parameters", "train_flops"), "trainable parameters; estimated FLOPs of training"),
        (("train_s", "eval_s", "wall_s", "peak_rss_bytes"), "seconds; peak memory of the worker during the trial"),
        (("latency_ms_p50", "latency_ms_p95"), "one prediction from one context"),
        (("corpus", "corpus_fingerprint", "split_fingerprint", "code_version"), "what it was measured on and with"),
        (("host", "started_at", "finished_at"), "where and when (UTC)"),
        (("config",), "the whole configuration as JSON, searched values without a column among them"),
        (("num_kept_lengths",), "how many lengths `context_use` has of the trial; null: not measured"),
        (
            ("val_hit_at_5_context_in_pool", "test_hit_at_5_context_in_pool"),
            "Hit@5 of the same predictions in a pool of the same size that still has each query's own last C_max "
            "vectors; null where they are not left out",
        ),
    ],
    "curves": [
        (("trial_id", "eval_index", "step", "sequences_seen", "learning_rate"), "the evaluation, counted from 1"),
        (("train_loss", *LOSSES), f"means since the evaluation before{MEANINGS}"),
        (
            ("val_loss", "val_cosine", *VALIDATION_LOSSES),
            "on validation, with the same number of negatives as in training",
        ),
        (("val_hit_at_1", "val_hit_at_5", "val_hit_at_10", "val_mrr"), "on validation"),
        (("elapsed_s",), "seconds since the trial began training"),
    ],
    "ranks": [
        (("trial_id", "split"), "the trial; `validation` or `test`"),
        (("query_id", "chain_id"), "row of the target in the corpus, and its document"),
        (("rank",), "1 + candidates strictly nearer than the target"),
        (
            ("num_ties",),
            "other candidates exactly as near; Hit@K breaks ties at random: clip((K - rank + 1) / (num_ties + 1), "
            "0, 1)",
        ),
    ],
    "context_use": [
        (("trial_id",), "a confirm trial of the largest C"),
        (
            ("num_kept",),
            "the newest vectors of each context that were kept; random training vectors replaced the others",
        ),
        (("chain_id", "num_queries"), "a test document, and its queries"),
        (("hit_at_5",), "mean over these queries"),
    ],
}


def markdown_tables() -> str:
    """Return the tables as docs/records.md has them."""
    return "\n".join(
        f"| column of `{table}` | meaning |\n|---|---|\n"
        + "".join(f"| {', '.join(f'`{name}`' for name in names)} | {meaning} |\n" for names, meaning in rows)
        for table, rows in DICTIONARY.items()
    )
