"""Trials that break in different ways: the study continues, and a later resume completes it."""

from pathlib import Path

import pandas as pd

from benchmarks.torture.faults import as_problem
from benchmarks.torture.injection import ENDS, failing
from benchmarks.torture.study import CELL_IDS, Runner

LIMIT = "30s"  # per trial; a normal one takes about a second, but a busy machine detects a dead worker late
BROKEN = {
    "hang": "a hung trial",
    "kill": "a worker killed every time",
    "oom": "a trial without memory",
    "nan": "a loss that is NaN",
}  # names in the table by kind of fault


def break_trials(runner: Runner, kinds: list[str], replicate: int) -> dict[str, list[str]]:
    """Run one more replicate in which a confirm trial of each cell breaks; return the problems by name.

    kinds: kinds of fault, in the order of the cells, at most one per cell.
    """
    kinds = dict(zip(CELL_IDS, kinds, strict=False))
    environment = failing({f"{cell_id}/{replicate}": kind for cell_id, kind in kinds.items()})
    ended = runner.run(
        "--set", f"replicates={replicate}", "--set", f"trial_time_limit={LIMIT}", environment=environment
    )
    if ended.status != 1 or "Traceback" in ended.errors:
        return {BROKEN[kind]: as_problem(ended) for kind in kinds.values()}
    trials = pd.read_parquet(runner.study / "trials").query("stage == 'confirm' and replicate == @replicate")
    found = trials.set_index("cell_id")
    return {BROKEN[kind]: _problems(found, cell_id, kind) for cell_id, kind in kinds.items()}


def _problems(found: pd.DataFrame, cell_id: str, kind: str) -> list[str]:
    if cell_id not in found.index:
        return [f"{cell_id} has no row"]
    row = found.loc[cell_id]
    ended, wanted = (row.status, row.stop_reason), ENDS[kind]
    problems = [] if ended == wanted else [f"{cell_id} is {ended}, not {wanted}: {row.error}"]
    if kind == "nan" and not problems and " at step " not in row.error:
        problems.append(f"{cell_id} does not name the step: {row.error}")
    return problems


def forget_diverged(study: Path) -> None:
    """Remove the rows of diverged confirm trials, which a resume would not repeat."""
    trials = pd.read_parquet(study / "trials").query("stage == 'confirm' and status == 'diverged'")
    for trial_id in trials.trial_id:
        (study / "trials" / f"{trial_id}.parquet").unlink()
