"""Print what was counted as Markdown: false verdicts with power, and how often intervals hold."""

from math import sqrt

import pandas as pd

NAMES = {
    "context": "Does Hit@5 grow with the context?",
    "law": "Which law?",
    "threshold": "Threshold near 1,000?",
    "best-context": "Which context suits this corpus?",
    "stable": "trains stably",
    "stars": "`*` on some cell",
    "differs": "some difference is shown (Holm)",
}
OF_EVERY_DESIGN = ("context", "law", "threshold")
INTERVALS = ("cell", "difference", "lift", "elasticity", "exponent", "place of the break")


def verdict_table(rows: pd.DataFrame) -> str:
    """Return one line for every verdict and truth: the share of studies with a false verdict, and with a true one.

    Verdicts of the questions in OF_EVERY_DESIGN have a line for every truth; others one for all, and one for each truth
    under which they are ever false.
    """
    lines = ["| verdict | truth | measured: false | power: true |", "|---|---|---|---|"]
    for about, name in NAMES.items():
        own = rows[rows.about == about]
        for design, group in own.groupby("design", sort=False):
            if about in OF_EVERY_DESIGN or group.right.eq(False).any():
                lines.append(_line(name, design, group))
        lines.append(_line(name, "all truths together", own))
    return "\n".join(lines)


def _line(name: str, truth: str, rows: pd.DataFrame) -> str:
    wrong, true = rows.right.eq(False), rows.right.eq(True)
    return f"| {name} | {truth} | {share(wrong)}{_said(rows.answer[wrong])} | {share(true)}{_said(rows.answer[true])} |"


def _said(answers: pd.Series) -> str:
    """Return the answers that were given most often."""
    named = [answer for answer in answers.value_counts().index if answer != "C = …"]
    return f" ({', '.join(named[:3])})" if named else ""


def interval_table(rows: pd.DataFrame) -> str:
    """Return one line for every truth: the share of its intervals that contain it."""
    shown = rows[rows.about.isin(INTERVALS)]
    lines = ["| truth | " + " | ".join(INTERVALS) + " |", "|---" * (1 + len(INTERVALS)) + "|"]
    for design, group in shown.groupby("design", sort=False):
        cells = [_held(group[group.about == about]) for about in INTERVALS]
        lines.append(f"| {design} | " + " | ".join(cells) + " |")
    every = [_held(shown[shown.about == about]) for about in INTERVALS]
    return "\n".join([*lines, "| all | " + " | ".join(every) + " |"])


def share(holds: pd.Series) -> str:
    """Return a share of studies with its binomial 95 % error."""
    p, count = holds.mean(), len(holds)
    return f"{p:.1%} ± {1.96 * sqrt(max(p * (1 - p), 1 / count) / count):.1%}"


def _held(rows: pd.DataFrame) -> str:
    """Return the share of intervals that hold; its error is that between studies, whose intervals are dependent."""
    if rows.empty:
        return ""
    by_study = rows.right.astype(float).groupby([rows.design, rows.seed]).mean()
    error = 1.96 * by_study.std(ddof=1) / sqrt(len(by_study)) if len(by_study) > 1 else float("nan")
    return f"{by_study.mean():.3f} ± {error:.3f}"
