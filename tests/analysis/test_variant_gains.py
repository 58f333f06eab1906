"""The shape of the map by variant: gains along C and N, and whether they differ from those of the reference."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords
from study.analysis.variant_gains import gains_by_variant
from study.analysis.variants import change, measured_cells
from study.records.columns import TABLES
from study.report.findings.variant_differences import sentences, verdicts
from tests.manifests import manifest

POOL, DOCUMENTS, QUERIES = 200, 50, 8
LEVELS = {(4, 100): 0.3, (4, 900): 0.5, (32, 100): 0.4, (32, 900): 0.6}


def study_of(variants: dict[str, dict[tuple[int, int], float]], replicates: int = 4, first_query: int = 0):
    """Draw ranks whose Hit@5 is planted, by variant and (C, N); a query that is easy for one is easy for all."""
    rng = np.random.default_rng(0)
    ease, entries, trials, ranks = rng.random(DOCUMENTS * QUERIES), [], [], []
    for variant, cells in variants.items():
        for (context, size), hit in cells.items():
            name = f"C{context}_N{size}_r{context}x{size}_{variant}"
            entries.append(
                {"variant": variant, "row": f"r{context}x{size}", "cell_id": name, "context_length": context,
                 "num_sequences": size, "protocol": "controlled", "split_fingerprint": "f"}
            )  # fmt: skip
            for replicate in range(1, replicates + 1):
                trial_id = f"{name}-{replicate}"
                trials.append(
                    {"trial_id": trial_id, "stage": "confirm", "status": "completed", "cell_id": name, "model": "gru",
                     "context_length": context, "num_sequences": size, "replicate": replicate, "pool_size": POOL,
                     "num_steps": 10, "split_fingerprint": "f", "protocol": "controlled", "test_cosine": 0.5,
                     "val_hit_at_5": 0.5, "chance_hit_at_5": 5 / POOL, "config": "{}"}
                )  # fmt: skip
                is_hit = ease + rng.normal(0, 0.05, len(ease)) < hit
                ranks += [
                    (trial_id, "test", first_query + q, q // QUERIES, 1 if h else 50, 0) for q, h in enumerate(is_hit)
                ]
    space = {"compare": {"by": "difference", "reference": next(iter(variants))}}
    made = manifest(variants=entries, space=space, cells=[entry["cell_id"] for entry in entries])
    return StudyRecords(
        "made",
        made,
        pd.DataFrame(trials).reindex(columns=TABLES["trials"].names),
        TABLES["curves"].empty_table().to_pandas(),
        pd.DataFrame(ranks, columns=TABLES["ranks"].names),
    )


def steeper_in_n(levels: dict) -> dict:
    return {(c, n): hit - 0.2 if n == 100 else hit for (c, n), hit in levels.items()}


def test_the_gains_of_every_variant_are_measured_along_both_axes():
    table = gains_by_variant(study_of({"steps": LEVELS, "epochs": steeper_in_n(LEVELS)}))
    assert len(table) == 8 and list(table.along) == list("CCNN" * 2)
    of = table.set_index(["variant", "along", "at"])
    for (context, size), variant in product([(4, 100), (32, 900)], ("steps", "epochs")):
        assert of.gain[variant, "C", size] == pytest.approx(0.1, abs=0.03)
        assert of.gain[variant, "N", context] == pytest.approx(0.2 if variant == "steps" else 0.4, abs=0.05)
    assert of.change.loc["steps"].isna().all()
    assert of.change["epochs", "N", 4] == pytest.approx(0.2, abs=0.05)
    assert of.differs["epochs", "N", 4] and of.differs["epochs", "N", 32]
    assert not of.differs["epochs", "C", 100]


def test_a_level_that_moves_alike_everywhere_changes_no_gain():
    lower = {key: hit - 0.1 for key, hit in LEVELS.items()}
    study = study_of({"steps": LEVELS, "lower": lower, "same": LEVELS})
    assert not gains_by_variant(study).differs.any()
    answers = [verdict.answer for verdict in verdicts(Evidence(study), "")]
    assert answers == [
        "its level: 4 of 4 cells differ, and no gain along C or N is shown to",
        "no difference is shown",
    ]
    level, first, second = sentences(Evidence(study))
    assert level.endswith(" in 4 cells.") and level.startswith("steps has test Hit@5 0.")
    assert "4 of them differ (Holm)" in first and "0 of them differ (Holm)" in second


def test_a_changed_gain_is_a_yes_with_its_evidence():
    (verdict,) = verdicts(Evidence(study_of({"steps": LEVELS, "epochs": steeper_in_n(LEVELS)})), "")
    assert verdict.question == "Does epochs change the map of steps?"
    assert verdict.answer == "yes: 2 of 4 gains along C and N differ"
    assert "the gain that changes most is from N=100 to 900 at C=" in verdict.evidence


def test_gains_need_cells_that_differ_in_one_axis_alone_and_the_same_queries():
    diagonal = {key: LEVELS[key] for key in ((4, 900), (32, 100))}
    assert gains_by_variant(study_of({"steps": diagonal, "other": diagonal})).empty
    one, other = study_of({"steps": LEVELS}), study_of({"other": LEVELS}, first_query=1000)
    both = manifest(
        variants=[entry.model_dump() for study in (one, other) for entry in study.manifest.variants],
        space={"compare": {"by": "difference", "reference": "steps"}},
    )
    tables = {name: pd.concat([getattr(one, name), getattr(other, name)]) for name in ("trials", "curves", "ranks")}
    table = gains_by_variant(StudyRecords("made", both, **tables))
    assert set(table.variant) == {"steps"}, "a paired change needs the same queries"


def test_differences_of_variants_borrow_their_variance_from_each_other():
    study = study_of({"one": LEVELS, "two": LEVELS, "three": LEVELS}, replicates=2)
    table = differences_table(study).dropna(subset=["difference"])
    alone = []
    for (name, row), cell in measured_cells(study).items():
        if name != "one":
            found = change(measured_cells(study)["one", row], cell)
            alone.append(found.high - found.low)
    together = table.difference_high - table.difference_low
    assert together.max() / together.min() < 0.5 * max(alone) / min(alone), "two replicates show little of their own"
