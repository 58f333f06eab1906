"""Say findings in sentences and rows of text, for the terminal and for files alike."""

from study.analysis.evidence import Evidence


def measured_with(findings: Evidence, marks: str = "; * beats the best baseline, chosen on validation") -> str:
    """Return the counts behind the map, and what the marks on it mean."""
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
        f"{row.chance_hit_at_5:.4f}), {span} replicates a cell; intervals resample chains and replicates"
        f"{marks}"
    )


def verdict_lines(findings: Evidence) -> list[str]:
    """Return every verdict with its evidence, and what the estimates rest on."""
    lines = [
        f"{f'{arm}: ' if arm else ''}{verdict.question} {verdict.answer}: {verdict.evidence}"
        for arm, answers in findings.answers.items()
        for verdict in answers.verdicts
    ]
    if not findings.answers:
        lines = ["no law, threshold or best context: the cells differ by more than C and N, or in queries and pool"]
    return ["findings", *lines, *arm_lines(findings), kept_line(findings)]


def arm_lines(findings: Evidence) -> list[str]:
    """Return which arms differ on the same queries, by a test that holds for all pairs and cells at once."""
    table = findings.comparisons[findings.comparisons.comparison == "arm"]
    differs = table[table.differs.astype(bool)]
    lines = [
        f"{row.second} against {row.first}: Hit@5 {row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}] "
        f"(Holm p = {row.p_holm:.3f})"
        for row in differs.itertuples()
    ]
    same = len(table) - len(differs)
    return [*lines, f"{same} other pairs of arms: no difference shown"] if same else lines


def kept_line(findings: Evidence) -> str:
    """Return how many trials the estimates rest on, and which ones they leave out."""
    kept = len(findings.study.measured("confirm"))
    left_out = ", ".join(f"{count} {reason}" for reason, count in findings.study.left_out().items())
    return f"the map rests on {kept} confirm trials" + (f"; left out: {left_out}" if left_out else "")


def importance_rows(findings: Evidence) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the importance table."""
    header = ["searched value", "importance", "95 % interval", "pruned as last seen", "pruned as best"]
    rows = [
        [row.parameter, f"{row.importance:.2f}", f"{row.low:.2f} to {row.high:.2f}", f"{row.pruned_as_last_seen:.2f}",
         f"{row.pruned_as_best:.2f}"]
        for row in findings.importance.itertuples()
    ]  # fmt: skip
    return header, rows


def best_lines(findings: Evidence) -> list[str]:
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


def patience_rows(findings: Evidence) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the patience table."""
    table = findings.patience
    values = sorted(table.patience.unique())
    rows = []
    for cell, group in table.groupby("cell_id", sort=False):
        by_value = group.set_index("patience")
        rows.append([cell, *(f"{by_value.loss[v]:.3f} ({by_value.num_steps[v]:.0f})" for v in values)])
    return ["cell", *(f"patience {value}" for value in values)], rows
