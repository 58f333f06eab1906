"""The one exception that means: a person can mend this."""


class InputError(ValueError):
    """Says what must hold, what was found, where, and what to do. The command line ends with status 2."""
