"""What a running trial reports."""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class TrialUpdate:
    """A trial's record so far. `row` is complete but for a status that the driver may yet decide (pruned).

    evaluation: this evaluation's row of `curves`. ranks: columns of `ranks`, when they are new. refusal: why this node
    cannot run any trial of the study; nothing is recorded then, and the study stops. begins: nothing is measured yet.
    """

    trial_id: str
    row: dict
    evaluation: dict | None = None
    ranks: dict | None = None
    final: bool = False
    refusal: str | None = None
    begins: bool = False
