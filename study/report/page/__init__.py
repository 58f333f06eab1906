"""Draw the page: figures as Plotly's JSON, tables and words, put into templates. Computes nothing."""

from study.report.page.build import page

__all__ = ["page"]
