"""The report of a running trial."""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class TrialUpdate:
    """A trial's record so far. `row` is complete, except that the driver may still prune the trial.

    evaluation: this evaluation's row of `curves`. ranks: columns of `ranks`, if this evaluation is the best so far.
    context_use: columns of `context_use`, if the trial measured it.
    final: the trial has ended. refusal: why this node cannot run any trial of the study; nothing is recorded, and the
    study stops. begins: the trial has just started, and nothing is measured yet.
    """

    trial_id: str
    row: dict
    evaluation: dict | None = None
    ranks: dict | None = None
    final: bool = False
    refusal: str | None = None
    begins: bool = False
    context_use: dict | None = None
