"""Start what a command line of `study.run` asks for: a list of studies, a plan, or a study."""

import argparse
import re
from pathlib import Path
from typing import Any

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from study.cli.console import open_console
from study.cli.exit_status import DONE
from study.driver import RunOptions
from study.lifecycle.dry_run import print_plan
from study.lifecycle.execute import RunRequest, execute
from study.lifecycle.power import print_power
from study.plan.plan import Plan, make_plan
from study.records.manifest import MANIFEST, Manifest
from study.records.store import RecordStore, join
from study.space.file import list_spaces, load_space
from study.space.legacy import kept_values
from study.space.space import Space

STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def print_studies(_: argparse.Namespace) -> int:
    """Print every study in search_spaces/ with its question."""
    console = open_console()
    for name, question in list_spaces().items():
        console.print(f"{name:12} {' '.join(question.split())}", highlight=False)
    return DONE


def start(options: argparse.Namespace, budget_s: float | None) -> int:
    """Plan a study, then print the plan or run it. budget_s: of --budget. Returns the exit status."""
    plan, console = plan_from(options), open_console()
    if options.dry_run:
        print_plan(plan, options.workers, console)
    if asks_power := options.power is not None or options.power_from is not None:
        print_power(plan, options.power or 1.0, options.power_from, console)
    if options.dry_run or asks_power:
        return DONE
    is_rerun = options.rerun is not None
    request = RunRequest(
        out=options.out,
        resume=options.resume or is_rerun or options.carry_over,
        carry_over=options.carry_over,
        report=not options.no_report,
        options=RunOptions(options.address, options.workers, budget_s, rerun_timeouts=is_rerun),
        arguments=options.arguments,
    )
    return execute(plan, request, console)


def plan_from(options: argparse.Namespace) -> Plan:
    """Read the space and the corpus, and return the plan. Writes nothing but the corpus cache."""
    space = _space_from(options)
    corpus = open_corpus(space.corpus)
    parts = [Path(options.name).stem, corpus.name, options.preset]
    study = options.study or re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(part for part in parts if part))
    if not STUDY_NAME.fullmatch(study):
        raise InputError(f"a study's name must be letters, digits, '.', '_' and '-', but got '{study}'. Give --study.")
    if kept := _kept_values(join(options.out, study)):
        space = _space_from(options, kept)
    return make_plan(study, space, corpus)


def _space_from(options: argparse.Namespace, kept: dict[str, Any] | None = None) -> Space:
    overrides = {"corpus": options.corpus, "seed": options.seed, "protocol": options.protocol, "scale": options.scale}
    return load_space(options.name, options.preset, options.set, overrides, kept)


def _kept_values(location: str) -> dict[str, Any]:
    """Return what the study at a location keeps of its own if it is resumed; empty for a new one.

    Raises: InputError if its manifest is not one.
    """
    store = RecordStore.at(location)
    if not store.exists(MANIFEST):
        return {}
    found = store.read_json(MANIFEST)
    Manifest.of(found, store.path(MANIFEST))
    return kept_values(found["space"], [entry["space"] for entry in found.get("history", [])])
