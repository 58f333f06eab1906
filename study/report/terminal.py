"""Print what of a study's findings fits a screen."""

from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

from study.analysis.evidence import Evidence
from study.report.answer import verdicts
from study.report.figures.figure import opening
from study.report.finding import Block, Facts, Table
from study.report.findings import speaking


def print_summary(evidence: Evidence, console: Console) -> bool:
    """Print tables, verdicts, gaps and problems; return whether the study ended without problems."""
    findings = speaking(evidence)

    def write(text: str, style: str | None = None) -> None:
        console.print(text, style=style, highlight=False, soft_wrap=True)

    for finding in findings:
        for block in (block for arm in finding.arms(evidence) for block in finding.screen(evidence, arm)):
            if isinstance(block, Table):
                console.print(_grid(block))
            else:
                for line in _lines(finding.title, block):
                    write(line)
    for place, verdict in enumerate(verdicts(evidence, findings)):
        if place == 0:
            write("Verdicts")
        write(f"{verdict.question} {verdict.answer}: {verdict.evidence}")
    for gap in evidence.gaps:
        write(gap, "yellow")
    for problem in evidence.problems:
        write(problem, "red")
    return not evidence.problems


def _lines(title: str, block: Block) -> list[str]:
    if isinstance(block, Facts):
        return [title, *(f"{name}: {opening(value)}" for name, value in block.pairs)]
    return [opening(block)]


def _grid(table: Table) -> Grid:
    """Return a table whose intervals stand below their values."""
    grid = Grid(*(Column(name, overflow="fold") for name in table.header), title=table.title)
    for row in table.rows:
        grid.add_row(*(opening(cell).replace(" [", "\n[").replace(" remains", "\nremains") for cell in row))
    return grid
