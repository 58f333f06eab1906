"""Exceptions with a meaning beyond where they are raised."""


class InputError(ValueError):
    """Says what must hold, what was found, where, and what to do. The command line ends with status 2."""


class DivergedError(RuntimeError):
    """A loss, gradient or prediction that is not finite, found before the step that it would have spoiled."""
