"""Write a study's findings as Markdown that reads well in a terminal and on a code host."""

from collections.abc import Iterable

from study.analysis.evidence import Evidence
from study.messages.escaping import in_markdown
from study.report.answer import partial, sentences, verdicts
from study.report.figures.figure import Text, opening
from study.report.finding import Block, Facts, Finding, Table
from study.report.findings import all_findings


def markdown(evidence: Evidence, pictures: tuple[str, ...] = ()) -> str:
    """Return the report as Markdown. pictures: names of the PNG files in its folder `figures`."""
    manifest = evidence.study.manifest
    parts = [f"# {in_markdown(manifest.study)}", in_markdown(manifest.question)]
    if gap := partial(evidence):
        parts.append(f"**Partial.** {in_markdown(gap)}")
    parts.append(in_markdown(" ".join(sentences(evidence))))
    lines = [f"{verdict.question} {verdict.answer}: {verdict.evidence}" for verdict in verdicts(evidence)]
    for title, found in (("Verdicts", lines), ("Problems", evidence.problems)):
        parts += [f"## {title}", _list(found)] if found else []
    absent: set[str] = set()  # what is missing is written once, not for every finding that needs it
    for finding in all_findings():
        section = _section(finding, evidence, pictures)
        if not section and finding.absent and finding.absent not in absent:
            absent.add(finding.absent)
            section = [in_markdown(finding.absent)]
        parts += [f"## {in_markdown(finding.title)}", *section] if section else []
    return "\n\n".join(parts) + "\n"


def _section(finding: Finding, evidence: Evidence, pictures: tuple[str, ...]) -> list[str]:
    """Return what stands in a finding's section; nothing where it has nothing to show."""
    parts = []
    for arm in finding.arms(evidence):
        part = _part(finding, evidence, arm, pictures)
        parts += [f"### {in_markdown(arm)}", *part] if arm and part else part
    return parts


def _part(finding: Finding, evidence: Evidence, arm: str, pictures: tuple[str, ...]) -> list[str]:
    """Return what an arm has: text, pictures, tables."""
    blocks, level = finding.blocks(evidence, arm), "####" if arm else "###"
    tables = [block for block in blocks if isinstance(block, Table) and not block.page_only]
    drawn = dict.fromkeys(figure.picture for figure in finding.drawn(evidence, arm)) if pictures else ()
    return [
        *(_text(block) for block in blocks if not isinstance(block, Table)),
        *(f"![{name.replace('_', ' ')}](figures/{name}.png)" for name in drawn if name in pictures),
        *(f"{level} {in_markdown(_capital(table.title))}\n\n{_table(table.header, table.rows)}" for table in tables),
    ]


def _text(block: Block) -> str:
    if isinstance(block, Facts):
        return _list(f"{name}: {opening(value)}" for name, value in block.pairs)
    return in_markdown(opening(block))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(header: list[str], rows: list[list[Text]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(in_markdown(opening(cell)) for cell in line)} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {in_markdown(line)}" for line in lines)
