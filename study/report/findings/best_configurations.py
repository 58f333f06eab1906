"""The best configuration of each context length and of all, whether it beats its baseline, and the production gates."""

from study.analysis.evidence import Evidence
from study.analysis.verdicts import Verdict
from study.report.finding import Block, Facts, Finding
from study.report.findings import register
from study.report.style import shown

SEARCHED = ("alpha", "learning_rate", "weight_decay")


def blocks(evidence: Evidence, _arm: str) -> list[Block]:
    """Return the best configuration of each context length, the best of all, and which production gates it passes."""
    best = evidence.best
    if best["overall"] is None:
        return []
    lines = [(f"C={context}", _sentence(entry)) for context, entry in best["by_context_length"].items()]
    return [Facts([*lines, ("overall", _sentence(best["overall"])), _gates(best["overall"])])]


def best_lines(evidence: Evidence) -> list[str]:
    """Return the same as lines under a heading; nothing where no cell is confirmed."""
    lines = [f"{name}: {value}" for facts in blocks(evidence, "") for name, value in facts.pairs]
    return ["best configurations", *lines] if lines else []


def verdicts(evidence: Evidence, _arm: str) -> list[Verdict]:
    """Return which configuration validation prefers."""
    best = evidence.best["overall"]
    if best is None:
        return []
    gates = ": ".join(_gates(best))
    question = "Which configuration is best?"
    return [Verdict("best-configurations", question, _named(best), f"{_measured(best)}; {gates}")]


def _named(entry: dict) -> str:
    config = entry["config"]
    values = ", ".join(f"{key} {config[key]:.3g}" for key in SEARCHED if key in config)
    return f"{entry['cell_id']} with {values}"


def _sentence(entry: dict) -> str:
    return f"{_named(entry)}: {_measured(entry)}"


def _measured(entry: dict) -> str:
    hit = shown(*(entry[name] for name in ("hit_at_5", "hit_at_5_low", "hit_at_5_high")))
    if entry["beats_best_baseline"] is None:
        return f"Hit@5 {hit}, no baseline measured"
    verb = "above" if entry["beats_best_baseline"] else "below" if entry["below_best_baseline"] else "not above"
    lift = shown(entry["lift"], entry["lift_low"], entry["lift_high"], "+.3f")
    return f"Hit@5 {hit}, {verb} {entry['best_baseline']} (lift {lift})"


def _gates(entry: dict) -> tuple[str, str]:
    passed = [f"{name} {'passes' if holds else 'fails'}" for name, holds in entry["gates"].items()]
    return f"production gates at a pool of {entry['pool_size']:,}", ", ".join(passed)


FINDING = register(
    Finding(
        key="best-configurations", title="Best configurations", after="best-context",
        absent="No cell is confirmed yet.", blocks=blocks, screen=blocks, verdicts=verdicts,
    )
)  # fmt: skip
