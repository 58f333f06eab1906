"""Exceptions that callers tell apart."""


class InputError(ValueError):
    """A person's mistake. The message says what must hold, what was found, where, and what to do. Exit status 2."""


class DivergedError(RuntimeError):
    """A loss, gradient or prediction that is not finite, raised before the optimizer step that would use it."""
