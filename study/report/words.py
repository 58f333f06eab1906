"""Say findings in sentences and rows of text, for the terminal and for files alike."""

from study.report.findings import Findings


def measured_with(findings: Findings) -> str:
    """Return the counts behind the map."""
    row = findings.cells.iloc[0]
    replicates, pools = findings.cells.num_replicates, findings.cells.pool_size
    if pools.nunique() > 1:
        return (
            f"every context has its own queries and pool, of {pools.min():,} to {pools.max():,}: figures of different "
            "pools do not compare; intervals resample chains and replicates"
        )
    span = (
        f"{replicates.min()}" if replicates.min() == replicates.max() else f"{replicates.min()} to {replicates.max()}"
    )
    return (
        f"{row.num_queries:,} queries in {row.num_chains} chains, one pool of {row.pool_size:,} (chance "
        f"{row.chance_hit_at_5:.4f}), {span} replicates a cell; intervals resample chains and replicates; "
        "* beats the best baseline, chosen on validation"
    )


def best_lines(findings: Findings) -> list[str]:
    """Return one line for each context length, and one for the best of all."""
    best = findings.best
    if best["overall"] is None:
        return []
    lines = [f"C={context}: {_sentence(entry)}" for context, entry in best["by_context_length"].items()]
    return ["best configurations", *lines, f"overall: {_sentence(best['overall'])}", _gates(best["overall"])]


def _sentence(entry: dict) -> str:
    config, low, high = entry["config"], entry["hit_at_5_low"], entry["hit_at_5_high"]
    values = ", ".join(f"{key} {config[key]:.3g}" for key in ("alpha", "learning_rate", "weight_decay"))
    text = f"{entry['cell_id']} Hit@5 {entry['hit_at_5']:.3f} [{low:.3f}, {high:.3f}] with {values}"
    if entry["beats_best_baseline"] is None:
        return f"{text}; no baseline measured"
    verb = {True: "above", False: "not above"}[entry["beats_best_baseline"]]
    return (
        f"{text}; {verb} {entry['best_baseline']} (lift {entry['lift']:+.3f} "
        f"[{entry['lift_low']:+.3f}, {entry['lift_high']:+.3f}])"
    )


def _gates(entry: dict) -> str:
    held = [f"{name} {'holds' if holds else 'fails'}" for name, holds in entry["gates"].items()]
    return f"production gates at a pool of {entry['pool_size']:,}: {', '.join(held)}"


def patience_rows(findings: Findings) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the patience table."""
    table = findings.patience
    values = sorted(table.patience.unique())
    rows = []
    for cell, group in table.groupby("cell_id", sort=False):
        by_value = group.set_index("patience")
        rows.append([cell, *(f"{by_value.loss[v]:.3f} ({by_value.num_steps[v]:.0f})" for v in values)])
    return ["cell", *(f"patience {value}" for value in values)], rows
