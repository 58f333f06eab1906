"""Draw the report's figures as PNG, for report.md. Computes nothing."""

from study.report.pictures.draw import pictures

__all__ = ["pictures"]
