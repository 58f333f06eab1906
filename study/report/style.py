"""What findings and figures share: colours, and a value with its interval in text."""

import pandas as pd

# Okabe and Ito's colours, distinct with every kind of colour blindness.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800",
)  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW)


def counted(number: int, noun: str) -> str:
    """Return `1 document`, `1,200 documents`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown(value: float, low: float, high: float, form: str = ".3f") -> str:
    """Return `0.713 [0.669, 0.754]`; a dash for what is not measured."""
    return "-" if value is None or pd.isna(value) else f"{value:{form}} [{low:{form}}, {high:{form}}]"
