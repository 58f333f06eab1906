"""Answer whether Hit@5 grows with the context: the shape along C, with intervals."""

import numpy as np
import pandas as pd

from study.analysis.hit_map import HitMap
from study.analysis.shape import DEPENDS, DIP, MARGIN, PEAK, UNDECIDED, Differences, Shape, shape_in_context
from study.analysis.verdict import CANNOT_TELL, Verdict

QUESTION = ("context", "Does Hit@5 grow with the context?")


def context_verdict(hit_map: HitMap, steps: pd.DataFrame) -> Verdict:
    """Answer from the shape of the map; steps: its elasticities."""
    shape = shape_in_context(hit_map)
    if shape is None:
        return Verdict(*QUESTION, CANNOT_TELL, "no two contexts have hits at the same N")
    evidence = f"{_elasticities(steps)}; {_extremes(shape)}"
    if shape.verdict in (PEAK, DIP):
        at, low, high = shape.extreme
        after = "falling" if shape.verdict == PEAK else "rising"
        answer = f"{shape.verdict} at C={at}, {after} from there"
        return Verdict(*QUESTION, answer, evidence, shape.verdict, place=(float(at), float(low), float(high)))
    answer = CANNOT_TELL if shape.verdict == UNDECIDED else shape.verdict
    return Verdict(*QUESTION, answer, evidence)


def _elasticities(steps: pd.DataFrame) -> str:
    pooled = steps[steps.num_sequences.isna() & steps.elasticity.notna()]
    whole, steepest = pooled.iloc[-1], pooled.loc[pooled.elasticity.idxmax()]
    return (
        f"elasticity of Hit@5 in C {_interval(whole)} from C={whole.from_context} to {whole.to_context}; the steepest "
        f"step, C={steepest.from_context} to {steepest.to_context}, has {_interval(steepest)} (above 1: superlinear)"
    )


def _extremes(shape: Shape) -> str:
    """Return the changes that carry the verdict, in percent of Hit@5."""
    mean = shape.mean
    if shape.verdict == DEPENDS:
        parts = [f"at N={n:,} {_change(shape.by_size[n], pair)}" for n, pair in shape.contrary.items()]
        first = next(iter(shape.contrary.values()))
        return f"over all N together {_change(mean, first)}, but {', '.join(parts)}"
    if shape.verdict in (PEAK, DIP):
        at, low, high = shape.extreme
        ends = (mean.pair(mean.contexts[0], at), mean.pair(at, mean.contexts[-1]))
        what = "peak" if shape.verdict == PEAK else "lowest point"
        return f"{', then '.join(_change(mean, pair) for pair in ends)}; the {what} lies between C={low} and {high}"
    low, high = mean.found.low.min(), mean.found.high.max()
    if shape.verdict == "flat":
        return f"no two contexts differ by {MARGIN:.0%} of Hit@5: all differences lie in [{low:+.1%}, {high:+.1%}]"
    excluded = "no fall" if low >= 0 else f"a fall of at most {-low:.1%}"
    return f"{_largest(mean)}; between any two contexts {excluded} is possible"


def _largest(found: Differences) -> str:
    return _change(found, int(np.abs(found.found.t).argmax()))


def _change(found: Differences, pair: int) -> str:
    first, second = (int(found.contexts[place[pair]]) for place in (found.first, found.second))
    value, low, high = (np.expm1(part[pair]) for part in (found.found.value, found.found.low, found.found.high))
    return f"Hit@5 changes by {value:+.1%} [{low:+.1%}, {high:+.1%}] from C={first} to {second}"


def _interval(row: pd.Series) -> str:
    return f"{row.elasticity:.3f} [{row.low:.3f}, {row.high:.3f}]"
