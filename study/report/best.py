"""Find a study's best configurations and print them."""

import argparse
import json

from lvm_core.errors import InputError
from study.analysis.completeness import require_complete
from study.analysis.evidence import Evidence
from study.analysis.load import load_study
from study.cli.console import open_console
from study.cli.exit_status import DONE
from study.report.findings.best_configurations import best_lines


def print_best(options: argparse.Namespace) -> int:
    """Print the best configuration by context length and overall, or all of them as JSON."""
    evidence = best_of(options.study)
    if options.json:
        print(json.dumps(evidence.best, indent=1))
    else:
        for line in best_lines(evidence):
            print_line(line)
    return DONE


def best_of(location: str) -> Evidence:
    """Return the evidence of a study with a best configuration. Raises: InputError where it has none."""
    study = load_study(location)
    require_complete(study)
    evidence = Evidence(study)
    if evidence.best["overall"] is None:
        raise InputError(f"a study must have a completed confirm trial, but {location} has none. Resume it.")
    return evidence


def print_line(line: str) -> None:
    """Print a line as it is, however wide the terminal."""
    open_console().print(line, highlight=False, soft_wrap=True)
