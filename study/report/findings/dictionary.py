"""What every column of the record files means."""

from study.report.dictionary import DICTIONARY
from study.report.finding import Block, Finding, Table
from study.report.findings import register


def blocks(*_) -> list[Block]:
    """Return a table for each kind of record file."""
    return [
        Table(
            title=f"Columns of {name}",
            header=["column", "meaning"],
            rows=[[", ".join(columns), meaning] for columns, meaning in rows],
            page_only=True,
        )
        for name, rows in DICTIONARY.items()
    ]


FINDING = register(Finding(key="dictionary", title="Data dictionary", after="method", blocks=blocks))
