"""Rebuild a study's report from its records: `python -m study.report results/<study>`."""

import argparse
import sys

from rich.console import Console

from lvm_core.errors import InputError
from study.analysis.load import load_study
from study.records import RecordStore
from study.report import print_summary, write_report


def main(arguments: list[str] | None = None) -> int:
    """Print the summary, write the report files, and return the exit status."""
    parser = argparse.ArgumentParser(prog="study.report", description=__doc__)
    parser.add_argument("study", help="the study's folder or URI")
    location = parser.parse_args(arguments).study
    try:
        study = load_study(location)
        sound = print_summary(study, Console(soft_wrap=not sys.stdout.isatty()))
        write_report(study, RecordStore.at(location))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
