"""Choose which values an id hashes, so that a key added later leaves every recorded id as it is."""

from collections.abc import Collection, Mapping
from typing import Any


def identifying(values: Mapping[str, Any], always: Collection[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that an id hashes: the keys in `always`, and any other key that differs from its default.

    `always` is frozen: it names the keys that existed when the first ids were recorded, and never grows. A key added
    later must have a default that reproduces the numbers from before the key existed, and that default must never
    change. Recorded trials then keep their ids, and a trial with another value gets an id of its own.
    """
    return {key: value for key, value in values.items() if key in always or value != defaults[key]}
