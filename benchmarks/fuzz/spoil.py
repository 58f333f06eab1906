"""Damage bytes, values and trees of values."""

import copy
import random
from typing import Any

LONG = "x" * 3000
DEEP: list = []
for _ in range(60):
    DEEP = [DEEP]
TEXTS = (
    *("", LONG, "../../x", "/x", "a/../../x", "..", ".", "-x", "é\n[/b]", "[bold]x[/]", "<script>", "{{ 7 * 7 }}"),
    *("a|b", "\0", "\udcff", "\x1b[2J", "\u202e", "a\r\nb", "30m", "kalman=", "x" * 300),
    "!!python/object/apply:os.system ['true']",
)
HOSTILE = (
    *(None, True, False, -1, 0, 1, 7, 2**31, 2**63, 10**30, 10**400, -0.5, 1e308, float("nan"), float("inf")),
    *([], {}, [[]], [None], [-1], ["x"], [1, "1", 1.5], {"a": {"b": []}}, {"": 1}, DEEP, *TEXTS),
)


def spoiled(data: bytes, rng: random.Random) -> bytes:
    """Return bytes cut, flipped, doubled or replaced."""
    cut = rng.randrange(len(data))
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        flipped[rng.randrange(len(data))] = rng.randrange(256)
    return rng.choice([data[:cut], bytes(flipped), data + data, rng.randbytes(cut % 999), b"", data[cut:]])


def spoil(tree: dict | list, rng: random.Random, names: tuple = ("nonsense", 7)) -> None:
    """Replace, remove or add a value at a random place in nested mappings and lists."""
    place: Any = tree
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        if not (isinstance(place[key], dict | list) and place[key]) or rng.random() < 0.3:
            break
        place = place[key]
    action = rng.randrange(4)
    if action == 0 and len(keys) > 1:
        del place[key]
    elif action == 1 and isinstance(place, dict):
        place[rng.choice(names)] = copy.deepcopy(rng.choice(HOSTILE))
    else:
        place[key] = copy.deepcopy(rng.choice(HOSTILE))
