"""The values that studies had before a key of a space existed: what an older manifest says by leaving it out."""

from typing import Any

BEFORE: dict[str, Any] = {  # dotted key of a space -> value; a key that is added later with another default gets a line
    "data.exclude_context": False,
}
