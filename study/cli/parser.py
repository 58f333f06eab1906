"""An argument parser whose errors are one sentence."""

import argparse

from lvm_core.errors import InputError


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one sentence."""

    def error(self, message: str) -> None:
        raise InputError(f"{message}. See `python -m {self.prog} --help`.")
