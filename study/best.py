"""Print a study's best configurations, or export its best model: `python -m study.best results/<study>`."""

import json
import sys

from lvm_core.errors import InputError
from study.analysis.evidence import Evidence
from study.analysis.load import load_study
from study.analysis.whole import require_whole
from study.cli.console import open_console, say_error
from study.cli.parser import Parser
from study.report.findings.best_configurations import best_lines


def main(arguments: list[str] | None = None) -> int:
    """Print the best configuration by context length and overall, or all of them as JSON."""
    parser = Parser(prog="study.best", description=__doc__, allow_abbrev=False)
    parser.add_argument("study", help="the study's folder or URI")
    parser.add_argument("--json", action="store_true", help="every cell's best configuration, as JSON")
    parser.add_argument("--export", metavar="DIR", help="write the best model with its card to a new folder")
    parser.add_argument("--cell", metavar="ID", help="export this cell's best model instead, e.g. C4_N2000")
    try:
        options = parser.parse_args(arguments)
        if options.cell is not None and options.export is None:
            raise InputError("--cell must come with --export DIR, but that is missing. Add it, or use --json.")
        study = load_study(options.study)
        require_whole(study)
        evidence = Evidence(study)
        if evidence.best["overall"] is None:
            raise InputError(f"a study must have a completed confirm trial, but {options.study} has none. Resume it.")
        if options.export is not None:
            from study.export.model import export_model  # loads torch, which reading records must not need

            open_console().print(export_model(evidence, options.export, options.cell), highlight=False, soft_wrap=True)
            return 0
    except (InputError, OSError) as error:
        say_error(error)
        return 2
    if options.json:
        print(json.dumps(evidence.best, indent=1))
    else:
        for line in best_lines(evidence):
            open_console().print(line, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
