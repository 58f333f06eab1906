"""Define a verdict, and when two maps agree on it."""

from dataclasses import dataclass, replace

CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Verdict:
    """One question, its answer in a few words, and the evidence in a sentence. key: the finding that shows it.

    claim: what two maps must agree on, where it is not the answer itself. tenable: claims that this map allows beside
    its own. place: a value with its interval that two maps must agree on.
    """

    key: str
    question: str
    answer: str
    evidence: str
    claim: str | None = None
    tenable: frozenset[str] = frozenset()
    place: tuple[float, float, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether it claims anything."""
        return not self.answer.startswith(CANNOT_TELL)

    def noting(self, note: str) -> "Verdict":
        """Return the verdict with a note added to its evidence."""
        return replace(self, evidence=f"{self.evidence}; {note}") if note else self


def agreed(tuned: Verdict, common: Verdict) -> Verdict:
    """Return the tuned map's verdict if the map at one configuration agrees, and "cannot tell" otherwise."""
    if not tuned.holds:
        return tuned
    if _agree(tuned, common):
        return tuned.noting(f"at one configuration for all cells: {_shown(common)}")
    answer = f"{CANNOT_TELL}: {tuned.answer} on the tuned map, {common.answer} at one configuration"
    evidence = f"tuned: {tuned.evidence}; at one configuration: {common.evidence}"
    return replace(tuned, answer=answer, evidence=evidence)


def _agree(first: Verdict, second: Verdict) -> bool:
    allowed = [one.tenable | {one.claim or one.answer} for one in (first, second)]
    claims = [one.claim or one.answer for one in (first, second)]
    if not (first.holds and second.holds and claims[0] in allowed[1] and claims[1] in allowed[0]):
        return False
    if first.place is None or second.place is None:
        return True
    return max(first.place[1], second.place[1]) <= min(first.place[2], second.place[2])


def _shown(verdict: Verdict) -> str:
    """Return the answer, with the first figure of the evidence where the answer has none."""
    return verdict.answer if verdict.place else f"{verdict.answer} ({verdict.evidence.split(';')[0]})"
