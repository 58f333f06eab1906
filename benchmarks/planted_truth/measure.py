"""Draw one study of a design, answer its questions, and compare every answer and interval with the truth."""

import numpy as np
import pandas as pd

from benchmarks.planted_truth.designs import Design, all_designs
from study.analysis.cells import cells
from study.analysis.compare import comparisons
from study.analysis.load import StudyRecords
from study.analysis.verdict import Verdict
from study.analysis.verdicts import Answers, answer
from tests.planted import planted_study

QUESTIONS = ("context", "law", "threshold", "best-context", "stable", "stars", "differs")
CANNOT_TELL = "cannot tell"


def measure_job(job: tuple[int, int]) -> list[dict]:
    """Measure one study, by the numbers of its design and of the study."""
    design, number = job
    return measure(all_designs()[design], 10_000 * (1 + design) + number)


def measure(design: Design, seed: int) -> list[dict]:
    """Return one row for every answer and interval of one study: what it is about, the answer, and whether it is right.

    An interval's answer is empty. right: None where nothing is claimed.
    """
    context, size = np.array(design.shape.cells, float).T
    truth = design.hit_at_5(context, size)
    study = planted_study(truth, seed, baseline=design.baseline, common=True, shape=design.shape)
    found = answer(study)
    rows = _verdicts(design, found) + _stable(design, found.thresholds) + _of_law(design, found)
    rows += _elasticity(design, found)
    if design.intervals:
        rows += _cells(design, study) + _differences(design, study)
    return [{"design": design.name, "seed": seed, **row} for row in rows]


def _row(about: str, answer: str, right: bool | None) -> dict:
    return {"about": about, "answer": answer, "right": right}


def _verdicts(design: Design, found: Answers) -> list[dict]:
    context, law, threshold, best = found.verdicts
    rows = [
        _judged("context", context, design.context),
        _judged("law", law, design.law),
        _judged("threshold", threshold, design.threshold),
    ]
    covered = _optimum_held(design, found) if best.holds else None
    return [*rows, _row("best-context", "C = …" if best.holds else CANNOT_TELL, covered)]


def _judged(about: str, verdict: Verdict, true: tuple[str, ...]) -> dict:
    said = (verdict.claim or verdict.answer).split(", in th")[0] if verdict.holds else CANNOT_TELL
    return _row(about, said, said in true if verdict.holds else None)


def _stable(design: Design, table: pd.DataFrame) -> list[dict]:
    """Return whether stable training is denied where it is stable, and claimed where it is not."""
    row = table[table.definition == "stable"].iloc[0]
    denied, claimed = row.low > design.stable_from, row.high < design.stable_from
    said = "denied" if denied else "claimed" if np.isfinite(row.high) else CANNOT_TELL
    if denied or claimed:
        return [_row("stable", said, False)]
    return [_row("stable", said, True if np.isfinite(row.high) else None)]


def _of_law(design: Design, found: Answers) -> list[dict]:
    """Return whether the exponents and the place of the break lie in their intervals."""
    rows, law = [], found.law
    if design.planted is not None and law is not None and law.chosen.form == design.planted.form:
        natural = design.planted.form.natural(design.planted.theta, design.planted.axes)
        table = law.exponents.set_index("parameter")
        rows += [
            _row("exponent", "", bool(table.low[name] <= value <= table.high[name])) for name, value in natural.items()
        ]
    described = found.breaks.described if found.breaks else ()
    if design.break_n is not None:
        rows += [_row("place of the break", "", _reaches(one.place, design.break_n)) for one in described]
    return rows


def _reaches(place: tuple[float, float, float], truth: float) -> bool:
    return bool(place[1] * 0.999 <= truth <= place[2] * 1.001)


def _elasticity(design: Design, found: Answers) -> list[dict]:
    """Return whether the elasticity from the shortest to the longest context lies in its interval."""
    pooled = found.elasticities[found.elasticities.num_sequences.isna()].iloc[-1]
    sizes = np.array(design.shape.grid[1], float)
    ends = [np.log(design.hit_at_5(np.full(len(sizes), float(c)), sizes)).mean() for c in design.shape.grid[0]]
    truth = (ends[-1] - ends[0]) / np.log(design.shape.grid[0][-1] / design.shape.grid[0][0])
    return [_row("elasticity", "", bool(pooled.low <= truth <= pooled.high))]


def _optimum_held(design: Design, found: Answers) -> bool:
    line = found.best_context.line
    contexts, sizes = (line[name].to_numpy(float) for name in ("context_length", "num_sequences"))
    best = contexts[int(np.argmax(design.hit_at_5(contexts, sizes)))]
    return bool(found.best_context.best[1] <= best <= found.best_context.best[2])


def _cells(design: Design, study: StudyRecords) -> list[dict]:
    """Return whether the intervals of cells and lifts hold, and whether a star is given where there is no lift."""
    table = cells(study)
    truth = design.hit_at_5(table.context_length.to_numpy(float), table.num_sequences.to_numpy(float))
    lift = truth - design.baseline
    rows = []
    if not design.shape.search_noise:  # what the search does to a cell is not recorded as its truth
        held = (table.hit_at_5_low <= truth) & (truth <= table.hit_at_5_high)
        above = (table.lift_low <= lift) & (lift <= table.lift_high)
        rows += [_row("cell", "", bool(one)) for one in held] + [_row("lift", "", bool(one)) for one in above]
    stars = table.beats_baseline.to_numpy(bool)
    return [
        *rows,
        _row("stars", "*" if stars.any() else CANNOT_TELL, not (stars & (lift <= 0)).any() if stars.any() else None),
    ]


def _differences(design: Design, study: StudyRecords) -> list[dict]:
    """Return whether the intervals of differences hold, and whether one is shown where there is none."""
    table = comparisons(study)
    table = table[table.comparison.isin(["context", "sequences"])]
    places = [table[name].str.extract(r"C(\d+)_N(\d+)").to_numpy(float).T for name in ("first", "second")]
    truth = design.hit_at_5(*places[1]) - design.hit_at_5(*places[0])
    held = (table.low <= truth) & (truth <= table.high)
    differs = table.differs.to_numpy(bool)
    wrong = (differs & (np.sign(truth) != np.sign(table.difference))).any()
    shown = _row("differs", "differs" if differs.any() else CANNOT_TELL, not wrong if differs.any() else None)
    return [_row("difference", "", bool(one)) for one in held] + [shown]
