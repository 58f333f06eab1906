"""Compare the candidates of a cell with each other, whatever ASHA left of their trials."""

from collections.abc import Sequence

import numpy as np

from study.trial.outcome import Outcome

SCORED = ("completed", "pruned")


def win_rates(outcomes: Sequence[Outcome | None]) -> np.ndarray:
    """Return the share of a cell's other candidates that each one beats, ties counted as half. [n] in 0..1.

    Two trials are compared by the best Hit@5 so far at the last evaluation that both reached. A completed trial has
    reached all: it stays at its best. A trial that diverged or failed beats none and loses to every other.
    """
    longest = max((len(one.reported) for one in outcomes if _is_scored(one)), default=1)
    scored = np.array([_is_scored(one) for one in outcomes])
    best = np.full((len(outcomes), longest), -np.inf)  # so far, at each evaluation
    reached = np.full(len(outcomes), longest)
    for number in np.flatnonzero(scored):
        values = [value for _, value in outcomes[number].reported]
        best[number] = values + values[-1:] * (longest - len(values))
        reached[number] = longest if outcomes[number].is_completed else len(values)
    until = np.minimum.outer(reached, reached) - 1
    ours = best[np.arange(len(outcomes))[:, None], until]  # [i, j]: of i, where i and j are compared
    wins = np.where(ours > ours.T, 1.0, np.where(ours == ours.T, 0.5, 0.0)) * scored[:, None]
    np.fill_diagonal(wins, 0.0)
    return wins.sum(1) / max(1, len(outcomes) - 1)


def _is_scored(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status in SCORED and bool(outcome.reported)
