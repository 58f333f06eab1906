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
        place = (float(at), float(low), float(high))
        return Verdict(*QUESTION, f"{shape.verdict} at C={at}, {after} from there", evidence, shape.verdict, place=place)
    answer = CANNOT_TELL if shape.verdict == UNDECIDED else shape.verdict
    return Verdict(*QUESTION, answer, evidence)


def _elasticities(steps: pd.DataFrame) -> str:
    pooled = steps[steps.num_sequences.isna() & steps.elasticity.notna()]
    whole, steepest = pooled.iloc[-1], pooled.loc[pooled.elasticity.idxmax()]
    return (
        f"elasticity of Hit@5 in C {_interval(whole)} from C={whole.from_context} to {whole.to_context} (superlinear "
        f"means above 1); the steepest step, C={steepest.from_context} to {steepest.to_context}, has "
        f"{_interval(steepest)}"
    )


def _extremes(shape: Shape) -> str:
    """Return the changes that carry the verdict, in percent of Hit@5."""
    mean = shape.mean
    if shape.verdict == DEPENDS:
        parts = [f"at N={n:,} {_largest(shape.by_size[n])}" for n in shape.contrary]
        return f"over all N together {_largest(mean)}, but {'; '.join(parts)}"
    if shape.verdict in (PEAK, DIP):
        at, low, high = shape.extreme
        ends = (mean.pair(mean.contexts[0], at), mean.pair(at, mean.contexts[-1]))
        what = "peak" if shape.verdict == PEAK else "lowest point"
        return f"{', then '.join(_change(mean, pair) for pair in ends)}; the {what} lies between C={low} and {high}"
    low, high = mean.found.low.min(), mean.found.high.max()
    if shape.verdict == "flat":
        return f"no two contexts differ by {MARGIN:.0%} of Hit@5: all differences lie in [{low:+.1%}, {high:+.1%}]"
    falls = -float(min(low, 0.0))
    return f"{_largest(mean)}; a fall between two contexts of more than {falls:.1%} is excluded"


def _largest(found: Differences) -> str:
    return _change(found, int(np.abs(found.found.t).argmax()))


def _change(found: Differences, pair: int) -> str:
    first, second = (int(found.contexts[place[pair]]) for place in (found.first, found.second))
    value, low, high = (np.expm1(part[pair]) for part in (found.found.value, found.found.low, found.found.high))
    return f"Hit@5 changes by {value:+.1%} [{low:+.1%}, {high:+.1%}] from C={first} to {second}"


def _interval(row: pd.Series) -> str:
    return f"{row.elasticity:.3f} [{row.low:.3f}, {row.high:.3f}]"
