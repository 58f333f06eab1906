"""Text for people: escaping, suggestions, validation errors, durations."""
