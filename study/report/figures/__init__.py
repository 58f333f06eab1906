"""Figures: described once as plain data, drawn for the page by Plotly and for report.md by matplotlib."""
