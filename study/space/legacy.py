"""The values that studies had before a key existed: a study keeps them when it is resumed."""

from typing import Any

BEFORE: dict[str, Any] = {  # dotted key of a space -> the value that older studies were run with
    "data.exclude_context": False,
}
