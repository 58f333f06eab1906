"""Inject real faults into studies, again and again, and count what they cost. See docs/faults.md."""
