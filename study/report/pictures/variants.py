"""Draw what a study's variants are worth as a picture."""

from matplotlib.figure import Figure

from study.analysis.confounds import gains_table
from study.analysis.differences import differences_table
from study.analysis.evidence import Evidence
from study.analysis.phases import rows_table
from study.report.style import BLUE, COLOURS, VERMILION


def compared(findings: Evidence) -> Figure | None:
    """Draw the study's own comparison; None where it has none or nothing is measured yet."""
    asked = findings.study.manifest.space.compare
    return {"steps": _rows, "gain": _gains, "difference": _differences}[asked.by](findings) if asked else None


def _rows(findings: Evidence) -> Figure | None:
    table = rows_table(findings.study)
    if table.empty:
        return None
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    plot, equal = figure.subplots(), table.equal_pool.iloc[0]
    for i, (variant, rows) in enumerate(table.groupby("variant", sort=False)):
        for name, prefix, fill in (("own pool", "hit_at_5", "full"), (f"pool {equal:,}", "equal_hit_at_5", "none")):
            errors = [rows[prefix] - rows[f"{prefix}_low"], rows[f"{prefix}_high"] - rows[prefix]]
            plot.errorbar(
                rows.row,
                rows[prefix],
                yerr=errors,
                fmt="o-" if fill == "full" else "s:",
                fillstyle=fill,
                color=COLOURS[i],
                capsize=3,
                label=f"{variant}, {name}",
            )
    plot.set(ylabel="test Hit@5", ylim=(0, 1.02), title="each row, as reported and at equal pool, 95 % intervals")
    plot.legend(fontsize=7)
    plot.grid(alpha=0.3)
    return figure


def _gains(findings: Evidence) -> Figure | None:
    table = gains_table(findings.study)
    return (
        None
        if table.empty
        else _dots(table.change, table, "gain", "gain in Hit@5 from the shortest to the longest context")
    )


def _differences(findings: Evidence) -> Figure | None:
    table = differences_table(findings.study)
    if table.empty:
        return None
    labels = [f"{row.variant}, {row.row}" if row.row else str(row.variant) for row in table.itertuples()]
    return _dots(labels, table, "hit_at_5", "test Hit@5")


def _dots(labels, table, value: str, title: str) -> Figure:
    """Lay one dot a row, the first on top, with its 95 % interval."""
    figure = Figure(figsize=(8, 0.9 + 0.38 * len(table)), layout="constrained")
    plot, places = figure.subplots(), list(range(len(table)))
    errors = [(table[value] - table.low).clip(lower=0), (table.high - table[value]).clip(lower=0)]
    plot.errorbar(table[value], places, xerr=errors, fmt="none", ecolor="0.4", capsize=3)
    plot.scatter(table[value], places, color=[VERMILION, *[BLUE] * (len(table) - 1)], zorder=3)
    plot.set_yticks(places, labels=list(labels), fontsize=8)
    plot.invert_yaxis()
    plot.axvline(0, color="0.6", linewidth=1)
    plot.set(xlabel=f"{title}, 95 % interval")
    plot.grid(axis="x", alpha=0.3)
    return figure
