"""Say what a study found: three sentences with numbers and intervals, and verdicts with their evidence."""

from dataclasses import dataclass

import pandas as pd

from study.analysis.confounds import gains_table
from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.analysis.phases import steps_table
from study.report.style import shown
from study.report.words import arm_lines, best_lines, kept_line


@dataclass(frozen=True)
class Line:
    """A verdict as the page shows it. evidence: sentences, one a paragraph. link: the figure that shows it."""

    question: str
    answer: str
    evidence: tuple[str, ...]
    link: str


GROWTH = {
    "superlinear": "grows superlinearly",
    "sublinear": "grows sublinearly",
    "flat": "hardly changes",
    "falling": "falls",
    "undecided": "changes in a way that these records do not decide",
}
LINKS = {"superlinear": "section-2", "law": "section-4", "threshold": "section-5", "context suits": "section-1"}


def sentences(findings: Evidence) -> list[str]:
    """Return the answer in three sentences; fewer where less is known."""
    if findings.study.manifest.space.compare:
        return _compared(findings)
    if findings.cells.empty:
        return ["No cell is confirmed yet: there is no answer to give."]
    return [_best(findings), *_growth(findings), _lift(findings)]


def verdicts(findings: Evidence) -> list[Line]:
    """Return every verdict of the study, those of its arms one after another."""
    lines = [
        Line(
            f"{arm}: {verdict.question}" if arm else verdict.question,
            verdict.answer,
            (f"{verdict.evidence}.",),
            next(link for word, link in LINKS.items() if word in verdict.question),
        )
        for arm, answers in findings.answers.items()
        if answers
        for verdict in answers.verdicts
    ]
    best = findings.best["overall"]
    if best is None:
        return lines
    lines.append(
        Line("Which configuration is best?", _configuration(best), tuple(best_lines(findings)[1:]), "section-7")
    )
    lines.append(
        Line("Does it beat the best baseline?", _beats(best), (_lift(findings), kept_line(findings)), "section-2")
    )
    arms = arm_lines(findings)
    if arms:
        lines.append(Line("Do the arms differ?", _arms(arms), tuple(arms), "section-1"))
    return lines


def partial(findings: Evidence) -> str:
    """Return in what respect a study is not whole; an empty text where it is."""
    running = findings.study.manifest.is_running
    if not running and not findings.gaps:
        return ""
    done = len(findings.study.measured("confirm"))
    wanted = len(findings.study.manifest.cells) * findings.study.manifest.space.replicates
    state = "is still running" if running else "is not complete"
    return f"This study {state}: {done} of {wanted} confirm trials are recorded. Everything below is of these alone."


def _best(findings: Evidence) -> str:
    best = findings.best["overall"]
    return (
        f"Of {len(findings.cells)} measured cells validation prefers C={best['context_length']:,}, "
        f"N={best['num_sequences']:,}: test Hit@5 {_interval(best, 'hit_at_5')} among {best['pool_size']:,} candidates "
        f"(chance {5 / best['pool_size']:.4f}), from {best['num_queries']:,} queries in {best['num_chains']:,} "
        "documents and "
        f"{best['num_replicates']} replicates."
    )


def _growth(findings: Evidence) -> list[str]:
    """Say how Hit@5 grows with the context; nothing where the cells are no one map."""
    found = [(arm, maps) for arm, maps in findings.pool_maps.items() if maps and maps.own.elasticity is not None]
    if not found:
        return []
    parts = [
        f"{f'with {arm} ' if arm else ''}{GROWTH[row.verdict]} (elasticity "
        f"{shown(row.elasticity, row.low, row.high)} from C={row.from_context:,} to {row.to_context:,})"
        for arm, maps in found
        for row in [maps.own.elasticity]
    ]
    return [f"With the context Hit@5 {', '.join(parts)}; superlinear growth would be an elasticity above 1."]


def _lift(findings: Evidence) -> str:
    best = findings.best["overall"]
    if best["lift"] is None:
        return "No baseline is measured on these queries, so that no lift can be given."
    table = findings.cells
    above = int((table.lift_low > 0).sum())
    verb = "beats" if best["lift_low"] > 0 else "is not shown to beat"
    return (
        f"That cell {verb} the best baseline, {best['best_baseline']}, on the same queries: lift "
        f"{_interval(best, 'lift', '+.3f')}; {above} of {len(table)} cells beat theirs."
    )


def _configuration(best: dict) -> str:
    config = best["config"]
    values = ", ".join(
        f"{key} {config[key]:.3g}" for key in ("alpha", "learning_rate", "weight_decay") if key in config
    )
    return f"{best['cell_id']} with {values}"


def _beats(best: dict) -> str:
    return {None: "not known", True: "yes", False: "not shown"}[best["beats_best_baseline"]]


def _arms(lines: list[str]) -> str:
    return "yes, some" if any(" against " in text for text in lines) else "no difference shown"


def _interval(found, name: str, form: str = ".3f") -> str:
    return shown(found[name], found[f"{name}_low"], found[f"{name}_high"], form)


def _compared(findings: Evidence) -> list[str]:
    """Answer a study of variants from its own comparison."""
    asked = findings.study.manifest.space.compare
    made = {"steps": _steps, "gain": _gains, "difference": _differences}[asked.by](findings, asked.reference)
    return made or ["Too little is measured yet to compare the variants."]


def _steps(findings: Evidence, reference: str) -> list[str]:
    table = steps_table(findings.study)
    if table.empty:
        return []
    own = table[(table.variant == reference) & (table.pool == "own")]
    largest = own.loc[own.change.abs().idxmax()]
    said = [
        f"As reported, the largest step is {largest.step}: "
        f"{shown(largest.change, largest.low, largest.high, '+.3f')} in Hit@5."
    ]
    for row in table[(table.step == largest.step) & (table.pool != "own")].itertuples():
        said.append(
            f"The same step in one pool of {row.pool}, {row.variant}: {shown(row.change, row.low, row.high, '+.3f')}."
        )
    return said[:3]


def _gains(findings: Evidence, reference: str) -> list[str]:
    table = gains_table(findings.study)
    if table.empty:
        return []
    first, last = table.iloc[0], table.iloc[-1]
    most = table.iloc[1:].loc[table.adds.iloc[1:].idxmax()]
    return [
        f"As published ({first.change}), the longest context gains "
        f"{shown(first.gain, first.low, first.high, '+.3f')} in Hit@5.",
        f"Of single changes, {most.change} takes off the most: "
        f"{shown(most.adds, most.adds_low, most.adds_high, '+.3f')}.",
        f"With {last.change} the gain is {shown(last.gain, last.low, last.high, '+.3f')}.",
    ]


def _differences(findings: Evidence, reference: str) -> list[str]:
    table = differences_table(findings.study)
    if table.empty or "difference" not in table:
        return []
    base, others = table[table.variant == reference].iloc[0], table[table.difference.notna()]
    said = [
        f"{reference} has test Hit@5 {shown(base.hit_at_5, base.low, base.high)} among {base.pool_size:,} candidates."
    ]
    if others.empty:
        return said
    for word, row in (
        ("best", others.loc[others.difference.idxmax()]),
        ("worst", others.loc[others.difference.idxmin()]),
    ):
        change = shown(row.difference, row.difference_low, row.difference_high, "+.3f")
        where = f" ({row.row})" if pd.notna(row.row) and row.row else ""
        said.append(f"Against it {row.variant}{where} does {word}: {change}.")
    return said
