"""Show what analysis found: tables in the terminal and files beside the records. Computes nothing."""

from study.report.files import write_report
from study.report.terminal import print_summary

__all__ = ["print_summary", "write_report"]
