"""Run a planned study from its manifest to its report."""

import logging
import shlex
import sys
import uuid
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from lvm_core.errors import InputError
from lvm_core.remote import without_secrets
from study.cli.errors import say_error
from study.cli.exit_status import DONE, FAILED, INTERRUPTED
from study.driver import RunOptions, run_study
from study.driver.progress import Progress
from study.lifecycle.carry_over import carry_over
from study.lifecycle.manifest import accounted_run, describe, near_copies
from study.lifecycle.resume import (
    check_continues,
    extended,
    needs_comparison,
    under_recorded_version,
)
from study.lifecycle.settled import settle
from study.plan.plan import Plan
from study.records.columns import SEARCH_REPLICATE, TABLES
from study.records.lock import locked
from study.records.manifest import MANIFEST, ResumableManifest
from study.records.repair import set_aside
from study.records.store import RecordStore, join
from study.search.replay import searched_after_lost
from study.space.protocol import CONTROLLED
from study.trial.rows import base_row


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The options of a run that are not part of its plan.

    carry_over: compare this trainer's numbers with those of the trainer that recorded the study. arguments: the command
    line, from which the resume command is made.
    """

    out: str
    resume: bool
    report: bool
    carry_over: bool = False
    options: RunOptions
    arguments: tuple[str, ...]

    def command(self, *, resume: bool) -> str:
        """Return this run's command, with or without --resume. --carry-over stays: a comparison may be cut short."""
        plain = [argument for argument in self.arguments if argument != "--resume"]
        return shlex.join(["python", "-m", "study.run", *plain, *(["--resume"] if resume else [])])


def execute(plan: Plan, request: RunRequest, console: Console) -> int:
    """Run the missing trials of a study, then print its map and write its report. Returns the exit status."""
    location = join(request.out, plan.study)
    store = RecordStore.at(location)
    is_new = not store.exists(MANIFEST)
    plan, manifest = open_study(plan, store, request)
    if leaked := forbidden_leak(manifest):
        say_error(f"the split audit found {leaked} held-out vectors in training windows; stopped.")
        return FAILED
    try:
        with locked(store):
            if is_new:
                _refuse_existing(plan, store, location)
            is_ours = is_new and store.is_empty()  # never remove files that this run did not write
            _log_to_file(store)
            warnings = [] if is_new else _prepare_to_resume(plan, store, manifest, request, console)
            warnings = [f"warning: {one}" for one in (*warnings, *manifest["warnings"])]
            for warning in (*warnings, *leak_findings(manifest)):
                console.print(warning, style="yellow", highlight=False)
            try:
                _run_trials(plan, store, location, manifest, request, console)
            except InputError:
                if is_ours and store.read("trials", ["status"]).status.eq("infeasible").all():
                    store.remove()  # refused before any trial finished: leave no study behind
                raise
            return _conclude(plan, store, location, request, console)
    except KeyboardInterrupt:
        command = without_secrets(request.command(resume=True))
        print(f"\ninterrupted; nothing is lost. Continue with:\n  {command}", file=sys.stderr)
        return INTERRUPTED


def open_study(plan: Plan, store: RecordStore, request: RunRequest) -> tuple[Plan, dict]:
    """Return the plan and manifest of the study on disk, or new ones. Raises: InputError if it cannot be resumed."""
    if store.exists(MANIFEST):
        found = store.read_json(MANIFEST)
        ResumableManifest.of(found, store.path(MANIFEST))
        plan = under_recorded_version(found, plan, request.carry_over)
        check_continues(found, plan, request.resume)
        return plan, extended(found, plan, request.command(resume=False))
    _check_writable(request.out)
    return plan, describe(plan, request.command(resume=False))


def _refuse_existing(plan: Plan, store: RecordStore, location: str) -> None:
    """Refuse to start a new study in a folder that has one. Raises: InputError."""
    if store.exists(MANIFEST):
        raise InputError(
            f"a new study must not exist yet, but another process just started {plan.study}. Add --resume."
        )
    if store.files("trials"):
        raise InputError(
            f"a study must have its {MANIFEST}, but {without_secrets(location)} has trials without one. Restore it, "
            "move the folder away, or choose another name with --study."
        )


def _prepare_to_resume(
    plan: Plan, store: RecordStore, manifest: dict, request: RunRequest, console: Console
) -> list[str]:
    """Repair the records, compare trainer versions if needed, and settle which searches go on; return the warnings."""
    if store.read_json(MANIFEST).get("runs") != manifest["runs"]:  # another driver has run it since
        manifest |= open_study(plan, store, request)[1]
    find_lost = partial(searched_after_lost, plan, store, manifest.get("candidates", []))
    warnings, to_search_on = set_aside(store, find_lost)
    warnings += [
        f"{count:,} records of {table} are of an older version without the column {name}; it is null for them"
        for table in TABLES
        for name, count in store.missing_columns(table).items()
    ]
    settle(manifest, plan, store.read("trials"), to_search_on | cells_to_search_again(store, request.options))
    if needs_comparison(manifest):
        store.write_json(MANIFEST, manifest)  # a comparison may be cut short, and what was set aside stays aside
        entry = carry_over(plan, store, lambda line: console.print(line, highlight=False))
        manifest["carried_over"] = [*manifest.get("carried_over", []), entry]
        store.write_json(MANIFEST, manifest)
    return warnings


def cells_to_search_again(store: RecordStore, options: RunOptions) -> set[str]:
    """Return the cells with a search trial to repeat; their search is reopened even if they are confirmed."""
    trials = store.read("trials", ["stage", "status", "cell_id"])
    return set(trials[(trials.stage == "search") & trials.status.isin(options.repeated)].cell_id)


def forbidden_leak(manifest: dict) -> int:
    """Return the largest number of held-out vectors in training windows in any controlled split."""
    audits = [split["audit"] for split in manifest["splits"] if split["protocol"] == CONTROLLED]
    return max((audit["num_leaked_vectors"] for audit in audits), default=0)


def leak_findings(manifest: dict) -> list[str]:
    """Describe the leaks of splits by window, as published: there they are a finding, not a fault."""
    return [
        f"leak, as published (C={split['max_context']}): {split['audit']['num_leaked_targets']:,} of "
        f"{split['num_queries']:,} targets are in training windows"
        for split in manifest["splits"]
        if split["protocol"] != CONTROLLED and split["audit"]["num_leaked_vectors"]
    ]


def _check_writable(out: str) -> None:
    """Refuse an output folder that cannot be written to. Creates nothing in it. Raises: InputError."""
    if "://" in out:
        return
    folder = Path(out).absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    probe = existing / f".probe-{uuid.uuid4().hex[:8]}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"--out must be a writable folder, but {out} is not: {error.strerror}.") from error


def _run_trials(
    plan: Plan, store: RecordStore, location: str, manifest: dict, request: RunRequest, console: Console
) -> None:
    with accounted_run(store, manifest, request.options.num_workers) as run:
        manifest["split"]["near_copies"] = near_copies(plan)
        record_infeasible(plan, store)
        status = store.read("trials", ["status"]).status
        progress = Progress(console, num_before=int((~status.isin(["infeasible", *request.options.repeated])).sum()))
        run["num_trials"] = run_study(plan, store, location, request.options, progress, manifest)


def record_infeasible(plan: Plan, store: RecordStore) -> None:
    """Write a row for every cell that the corpus cannot fill: no cell is dropped silently."""
    for cell in plan.infeasible:
        spec = plan.spec(cell.cell, "search", SEARCH_REPLICATE, {})
        if cell.variant is not None:  # without data, no fingerprint would distinguish its trial from other variants
            spec = replace(spec, split_fingerprint=f"none: {cell.cell.cell_id}")
        needed = f"; about {cell.num_vectors_needed:,} vectors needed" if cell.num_vectors_needed else ""
        store.write_trial({**base_row(spec), "status": "infeasible", "error": cell.reason + needed}, [], None)


def _conclude(plan: Plan, store: RecordStore, location: str, request: RunRequest, console: Console) -> int:
    """Print the map and the best configurations, and write the report. Returns the exit status."""
    from study.analysis.evidence import Evidence
    from study.analysis.load import load_study
    from study.report.files import write_report
    from study.report.terminal import print_summary

    evidence = Evidence(load_study(location))
    sound = print_summary(evidence, console)
    if request.report:
        write_report(evidence, store)
    console.print(f"\nrecords and report: {without_secrets(location)}", highlight=False, soft_wrap=True)
    return DONE if sound else FAILED


def _log_to_file(store: RecordStore) -> None:
    """Log to study.log beside the records. Object stores cannot append to a file, so a study there has no log."""
    logger = logging.getLogger("study")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    if store.is_local:
        handler = logging.FileHandler(Path(store.root) / "study.log", delay=True)
        handler.handleError = lambda record: None  # on a full disk, writing the records fails and reports it
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    else:
        handler = logging.NullHandler()  # without a handler, warnings would go to the terminal
    logger.addHandler(handler)
