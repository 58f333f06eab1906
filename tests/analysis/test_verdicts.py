"""Verdicts hold only where both maps agree, and are limited to what was resampled."""

from dataclasses import replace

import numpy as np
import pytest

from study.analysis.verdict import CANNOT_TELL, Verdict, agreed
from study.analysis.verdicts import answer
from tests.planted import LAWS, Shape, planted_study

SMALL = ((1, 4, 16), (125, 500, 2000))


def verdict(answer: str, **more) -> Verdict:
    return Verdict("key", "question", answer, f"evidence of {answer}; more", **more)


def test_a_verdict_on_which_both_maps_agree_shows_both_figures():
    found = agreed(verdict("flat"), verdict("flat"))
    assert found.answer == "flat"
    assert found.evidence.endswith("at one configuration for all cells: flat (evidence of flat)")


def test_a_verdict_on_which_the_maps_disagree_cannot_be_told():
    found = agreed(verdict("sublinear"), verdict("flat"))
    assert found.answer == f"{CANNOT_TELL}: sublinear on the tuned map, flat at one configuration"
    assert "evidence of sublinear" in found.evidence
    assert "evidence of flat" in found.evidence


def test_what_the_tuned_map_cannot_tell_the_other_one_does_not_tell():
    assert agreed(verdict(CANNOT_TELL), verdict("flat")) == verdict(CANNOT_TELL)


@pytest.mark.parametrize(("low", "agrees"), [(6.0, True), (11.0, False)])
def test_two_values_agree_if_their_intervals_overlap(low, agrees):
    first = verdict("C = 8 [4, 10]", claim="a context", place=(8.0, 4.0, 10.0))
    second = verdict("C = 12", claim="a context", place=(12.0, low, 20.0))
    assert agreed(first, second).holds == agrees


def test_two_laws_agree_if_each_is_tenable_on_the_other_map():
    first = verdict("odds", tenable=frozenset({"odds", "log"}))
    assert agreed(first, verdict("log", tenable=frozenset({"odds", "log"}))).holds
    assert not agreed(first, verdict("log", tenable=frozenset({"log"}))).holds


def test_a_rise_that_only_the_search_makes_is_no_verdict():
    """The tuned map rises with C; at one configuration nothing changes."""
    study = planted_study(np.repeat([0.3, 0.4, 0.5], 3), seed=0, shape=Shape(grid=SMALL))
    flat = planted_study(np.full(9, 0.4), seed=0, common=True, shape=Shape(grid=SMALL))
    tuned = study.trials[study.trials.stage == "confirm"].assign(stage="confirm")
    own = flat.trials.config == flat.trials[flat.trials.stage == "confirm"].config.iloc[0]
    mixed = flat.ranks.set_index("trial_id")
    rising = study.ranks.set_index("trial_id")
    cells = ["context_length", "num_sequences", "replicate"]
    ids = flat.trials[own & (flat.trials.stage == "confirm")].merge(tuned, on=cells, suffixes=("", "_rising"))
    assert len(ids) == 27
    for target, source in zip(ids.trial_id, ids.trial_id_rising, strict=True):
        mixed.loc[target, "rank"] = rising.loc[source, "rank"].to_numpy()
    found = answer(replace(flat, ranks=mixed.reset_index())).verdicts[0]
    assert found.answer.startswith(f"{CANNOT_TELL}: sublinear on the tuned map")


def test_a_searched_study_with_one_map_says_that_the_search_is_not_excluded():
    with_one, with_two = (
        answer(planted_study(LAWS["odds"], seed=0, common=common)).verdicts[0] for common in (False, True)
    )
    assert "the luck of the search is not excluded" in with_one.evidence
    assert "the luck of the search is not excluded" not in with_two.evidence


def test_verdicts_from_one_document_are_limited_to_it():
    shape = Shape(grid=SMALL, chains=1, queries=2000)
    rises = np.repeat([0.2, 0.4, 0.7], 3)
    found = answer(planted_study(rises, seed=1, shape=shape)).verdicts[0]
    assert found.answer.endswith(", in this document")
    assert "stretches of 50 vectors (1 test document) and say nothing about other documents" in found.evidence
