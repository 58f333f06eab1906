"""A made study with everything that a report shows: infeasible and failed trials, a title that is no HTML."""

import pandas as pd

from study.analysis.load import StudyRecords
from tests.manifests import changed
from tests.planted import LAWS, POOL, planted_study

TITLE = 'Corpus <script>alert("x")</script> & more'
NUM_VECTORS = 20_000
NUMBERS = [
    "context_length", "num_sequences", "replicate", "pool_size", "num_queries", "val_hit_at_5", "num_steps",
    "test_hit_at_5", "chance_hit_at_5", "oracle_hit_at_5", "best_step",
]  # fmt: skip
INFEASIBLE = "C64_N16000"


def made_study(num_search: int = 6, seed: int = 0) -> StudyRecords:
    """Return a study of the law `odds` as records, with the rows that give no result to the map."""
    study = planted_study(LAWS["odds"], seed, num_search=num_search, baseline=0.45, chains=32, queries=16)
    extra = [
        {"stage": "search", "status": "infeasible", "cell_id": INFEASIBLE, "context_length": 64, "num_sequences": 16000,
         "trial_id": "i0", "error": "needs more; about 99,999 vectors needed"},
        {"stage": "confirm", "status": "failed", "cell_id": "C4_N500", "context_length": 4, "num_sequences": 500,
         "trial_id": "f0", "error": "Traceback\nRuntimeError: it broke", "stop_reason": "error", "replicate": 4},
    ]  # fmt: skip
    extra = pd.DataFrame(extra).reindex(columns=study.trials.columns)
    trials = pd.concat([study.trials.astype(object), extra.astype(object)], ignore_index=True)
    for name in NUMBERS:
        trials[name] = pd.to_numeric(trials[name])
    trials.loc[trials.status == "pruned", "stop_reason"] = "asha"
    reached = study.curves.groupby("trial_id").val_hit_at_5.max()
    searched = (trials.stage == "search") & (trials.status != "infeasible")
    trials.loc[searched, "val_hit_at_5"] = trials.trial_id.map(reached)
    study = changed(
        study,
        question="Does a made study show its law?", study=TITLE, protocol="controlled", seed=0,
        corpus={"name": TITLE, "num_vectors": NUM_VECTORS, "dim": 8, "num_chains": 100, "fingerprint": "f"},
        split={"fingerprint": "f", "pool_size": POOL, "num_queries": 512, "num_chains": {"train": 70}},
        space={"cells": {"num_sequences": [*study.manifest.space.cells.num_sequences, 16000]}},
    )  # fmt: skip
    return StudyRecords("made", study.manifest, trials, study.curves, study.ranks)
