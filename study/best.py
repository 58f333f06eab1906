"""Print a study's best configurations: `python -m study.best results/<study> [--json]`."""

import argparse
import json
import sys

from rich.console import Console

from lvm_core.errors import InputError
from study.analysis.load import load_study
from study.report.findings import Findings
from study.report.words import best_lines


def main(arguments: list[str] | None = None) -> int:
    """Print the best configuration by context length and overall, or all of them as JSON."""
    parser = argparse.ArgumentParser(prog="study.best", description=__doc__)
    parser.add_argument("study", help="the study's folder or URI")
    parser.add_argument("--json", action="store_true", help="every cell's best configuration, as JSON")
    options = parser.parse_args(arguments)
    try:
        findings = Findings(load_study(options.study))
        if findings.best["overall"] is None:
            raise InputError(f"a study must have a completed confirm trial, but {options.study} has none. Resume it.")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(findings.best, indent=1))
    else:
        for line in best_lines(findings):
            Console(soft_wrap=True).print(line, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
