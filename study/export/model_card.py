"""Write the model card of an exported model, in Markdown, from the records."""

import json

import pandas as pd

from lvm_core.baselines import BASELINES, ORACLE
from lvm_core.predict.latency import Latency
from study.analysis.cells import units_of
from study.analysis.evidence import Evidence
from study.analysis.units import Units
from study.host.machine import hardware
from study.messages.escaping import in_markdown

LICENCE = "**To be filled in by the publisher**: the licences of the texts, the vectors and these weights."


def model_card(evidence: Evidence, entry: dict, facts: dict, latencies: list[Latency]) -> str:
    """Return the card: summary, figures with counts and intervals, baselines, data, recipe, latency, limits."""
    cell = evidence.cells.set_index("cell_id").loc[entry["cell_id"]]
    trial = evidence.study.trials.set_index("trial_id").loc[entry["trial_id"]]
    sections = [
        f"# {facts['model']['model']}, C={entry['context_length']}, N={entry['num_sequences']:,}, of "
        f"{in_markdown(facts['study'])}",
        f"Predicts the next vector of a text from its last {entry['context_length']} vectors "
        f"(D = {facts['model']['dim']}, {int(trial.num_parameters):,} parameters). {_standing(entry)}",
        "## Figures",
        *_figures(evidence, cell, trial, entry),
        "## Baselines on the same queries",
        *_baselines(evidence, entry, cell),
        "## Data",
        *_data(evidence, trial),
        "## Training",
        _json({"cell": entry["cell_id"], "best step": int(trial.best_step), **json.loads(trial.config)}),
        "## Latency",
        f"One prediction from one context, on the CPU {hardware()['processor']}, one thread:",
        _table(["context length", "median, ms", "95th percentile, ms"], [_latency_row(one) for one in latencies]),
        "## Use",
        _use(entry),
    ]
    return "\n\n".join(sections) + "\n"


def _standing(entry: dict) -> str:
    if entry.get("beats_best_baseline") is None:
        return "No baseline was measured to compare it with."
    name, lift = entry["best_baseline"], f"{entry['lift']:+.3f} [{entry['lift_low']:+.3f}, {entry['lift_high']:+.3f}]"
    if entry["beats_best_baseline"]:
        return f"It beats the best baseline, {name}: lift in test Hit@5 {lift}."
    if entry["below_best_baseline"]:
        return f"**It is worse than the best baseline, {name}**, which needs no network: lift in test Hit@5 {lift}."
    return f"**It is not shown to beat the best baseline, {name}**, which needs no network: lift in test Hit@5 {lift}."


def _figures(evidence: Evidence, cell: pd.Series, trial: pd.Series, entry: dict) -> list[str]:
    rows = [
        [label, f"{cell[name]:.3f} {_interval(cell, name)}", f"{trial[f'test_{name}']:.3f}"]
        for label, name in (("Hit@1", "hit_at_1"), ("Hit@5", "hit_at_5"), ("Hit@10", "hit_at_10"), ("MRR", "mrr"))
    ]
    gates = ", ".join(f"{name} {'holds' if holds else 'fails'}" for name, holds in entry["gates"].items())
    units = units_of(evidence.study.test_ranks[entry["trial_id"]])
    return [
        f"On test: {int(cell.num_queries):,} queries in {_documents(units)}, one pool of "
        f"{int(cell.pool_size):,} candidates (chance Hit@5 {cell.chance_hit_at_5:.4f}). The cell has "
        f"{int(cell.num_replicates)} replicates; this model has the best validation Hit@5 of them. Intervals: "
        f"95 %, over {units.kind} and replicates. Do not compare figures across pools.",
        *_chosen(cell, entry),
        _table(["test", "cell, mean and 95 % interval", "this model"], rows),
        f"Production gates at this pool: {gates}.",
    ]


def _chosen(cell: pd.Series, entry: dict) -> list[str]:
    """Return what remains of Hit@5 where the choice of the cell flatters its own figures."""
    if entry["hit_at_5"] == cell.hit_at_5:
        return []
    return [
        "The cell was chosen among several. Corrected for that choice, as lift and gates are, its test Hit@5 is "
        f"{entry['hit_at_5']:.3f} {_interval(entry, 'hit_at_5')}."
    ]


def _documents(units: Units) -> str:
    if units.speak_of_documents:
        return units.label
    return f"{units.label}, so no interval covers differences between documents,"


def _interval(row: pd.Series | dict, name: str) -> str:
    return f"[{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


def _baselines(evidence: Evidence, entry: dict, cell: pd.Series) -> list[str]:
    measured = evidence.study.measured("baseline")
    fits = measured.num_sequences.isna() | (measured.num_sequences == entry["num_sequences"])
    usable = measured[(measured.context_length == entry["context_length"]) & fits]
    means = usable.groupby("model")[["val_hit_at_5", "test_hit_at_5"]].mean()
    names = [name for name in (*BASELINES, ORACLE) if name in means.index]
    intervals = {cell.best_baseline: f" {_interval(cell, 'baseline_hit_at_5')}"} if cell.best_baseline else {}
    rows = [
        [name, f"{means.val_hit_at_5[name]:.3f}", f"{means.test_hit_at_5[name]:.3f}{intervals.get(name, '')}"]
        for name in names
    ]
    return [_table(["predictor", "validation Hit@5", "test Hit@5"], rows)] if rows else ["None were measured."]


def _data(evidence: Evidence, trial: pd.Series) -> list[str]:
    rows = [
        ["corpus", in_markdown(trial.corpus)],
        ["corpus fingerprint", f"`{in_markdown(trial.corpus_fingerprint)}`"],
        ["split fingerprint", f"`{in_markdown(trial.split_fingerprint)}`"],
        ["code", f"`{in_markdown(trial.code_version)}`"],
        ["study", in_markdown(evidence.study.manifest.study)],
        ["trial", f"`{trial.name}`, {trial.finished_at:%Y-%m-%d}"],
        ["licence of the data", LICENCE],
    ]
    return [_table(["", ""], rows)]


def _use(entry: dict) -> str:
    context = entry["context_length"]
    return (
        "```python\nfrom lvm_core.corpus import open_corpus\nfrom lvm_core.predict import Predictor\n\n"
        'predictor = Predictor.load("THIS_FOLDER").over(open_corpus("my.npz"))\n'
        "cosines, rows = predictor.search(context, k=5)  # context: [C, D] vectors of the corpus's encoder\n```\n\n"
        f"Only the last {context} vectors of a longer context are used. Shorter contexts work, but their quality was "
        "not measured. Vectors of another encoder do not fit, even with the same dimension."
    )


def _latency_row(one: Latency) -> list[str]:
    return [str(one.context_length), f"{one.p50_ms:.2f}", f"{one.p95_ms:.2f}"]


def _json(values: dict) -> str:
    return f"```json\n{json.dumps(values, indent=1)}\n```"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
