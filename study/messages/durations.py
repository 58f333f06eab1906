"""Parse durations (`90s`, `30m`, `1h30m`) and format them (40 s, 12 min, 3 h 05 min)."""

import re

from lvm_core.errors import InputError

FORM = re.compile(r"(?:(\d{1,9}(?:\.\d+)?)h)?(?:(\d{1,9}(?:\.\d+)?)m)?(?:(\d{1,9}(?:\.\d+)?)s)?", re.ASCII)


def parse_duration(text: str, what: str = "--budget") -> float:
    """Return seconds. Raises: InputError that names `what`, the option."""
    match = FORM.fullmatch(text)
    parts = match.groups() if match else ()
    seconds = sum(float(part or 0) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if seconds <= 0:
        raise InputError(f"{what} must be a time such as 90s, 30m or 1h30m, but got '{text}'.")
    return seconds


def duration(seconds: float) -> str:
    """Format seconds: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
