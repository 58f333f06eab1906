"""Sentences that people read: escaping, suggestions, validation errors, durations."""
