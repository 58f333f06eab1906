"""Provoke faults in studies for real, over and over, and count what they cost. See docs/faults.md."""
