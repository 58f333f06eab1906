"""Plant known laws in synthetic studies and count how often the analysis recovers them.

    python -m benchmarks.planted_truth [--studies 40]

Every study has 28 cells (4 contexts, 7 sizes), 3 replicates and 1,984 queries in 64 documents, with document, query
and replicate effects (tests/planted.py). Prints one row per law, with shares of its studies. `chosen`: the planted form
was chosen. `a`, `b`, `ceiling`, `a_after`, `break_n`: the planted form's 95 % interval contains the truth; `chosen: …`:
the same among studies that chose that form. `cells`: the interval of a cell's Hit@5 contains the truth. `optimum`: so
does the interval of the best context for 100,000 vectors. `misfit`: the planted law was called a misfit. `break`: a
break was claimed.
"""

import argparse
import time

import numpy as np
import pandas as pd

from study.analysis.best_context import best_context
from study.analysis.breaks import find_break
from study.analysis.hit_map import HitMap
from study.analysis.law import MISFIT_LEVEL, exponents_of, fit_law, misfit, weight_of
from study.analysis.law_fit import fit, refit
from study.analysis.windows import TrainingPart
from study.host.machine import hardware
from tests.planted import BROKEN, LAWS, Planted, planted_map

NUM_REFITS = 200
NUM_VECTORS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=40, help="synthetic studies per law")
    options = parser.parse_args()
    print(f"machine: {hardware()['processor']}; {options.studies} studies for each of {len(LAWS) + len(BROKEN)} laws")
    counted = []
    for number, (name, planted) in enumerate({**LAWS, **BROKEN}.items()):
        started = time.perf_counter()
        rows = pd.DataFrame([measure(planted, 1000 * (1 + number) + seed) for seed in range(options.studies)])
        shares = rows.astype(float).mean()
        seconds = (time.perf_counter() - started) / options.studies
        print(f"{name}: {', '.join(f'{key} {share:.3f}' for key, share in shares.items())} ({seconds:.1f} s per study)")
        counted.append(rows.assign(law=name, broken=planted.form.broken))
    summarise(pd.concat(counted))


def measure(planted: Planted, seed: int) -> dict:
    """Analyse one synthetic study. Returns whether each truth was found: True, False, or NaN if not applicable."""
    hit_map = planted_map(planted, seed)
    truth = planted.form.natural(planted.theta, planted.axes)
    fitted, law = fit(planted.form, hit_map), fit_law(hit_map)
    known = exponents_of(fitted, refit(fitted, hit_map.resampled[:NUM_REFITS], weight_of(hit_map)))
    found = find_break(law)
    low, high = np.percentile(hit_map.resampled, [2.5, 97.5], axis=0)
    row = {"chosen": law.chosen.form == planted.form.smooth(), **_covered(known, truth)}
    if row["chosen"] and not planted.form.broken:
        row |= {f"chosen: {name}": held for name, held in _covered(law.exponents, truth).items()}
    row["cells"] = np.mean((low <= planted.hit_at_5) & (planted.hit_at_5 <= high))
    row["misfit"] = misfit(fitted, hit_map) < MISFIT_LEVEL
    row["break"] = found.found
    if planted.form.broken and found.found:
        row["claimed: break_n"] = found.break_n[1] <= planted.break_n <= found.break_n[2]
    if not planted.form.broken:
        row["optimum"] = _optimum_held(planted, hit_map, law)
    return row


def _covered(table: pd.DataFrame, truth: dict[str, float]) -> dict[str, bool]:
    rows = table.set_index("parameter")
    return {name: rows.low[name] <= value <= rows.high[name] for name, value in truth.items() if name in rows.index}


def _optimum_held(planted: Planted, hit_map: HitMap, law) -> bool:
    found = best_context(law, TrainingPart.of_vectors(NUM_VECTORS))
    line = planted.axes.at(found.line.context_length.to_numpy(), found.line.num_sequences.to_numpy())
    truth = found.line.context_length.iloc[int(np.argmax(planted.form.predict(planted.theta, line)))]
    return found.best[1] <= truth <= found.best[2]


def summarise(counted: pd.DataFrame) -> None:
    """Print the two figures that the analysis must meet."""
    smooth, broken = counted[~counted.broken], counted[counted.broken]
    parameters = smooth[["a", "b", "ceiling"]].to_numpy(float)
    covered, total = np.nansum(parameters), np.isfinite(parameters).sum()
    print(
        f"{len(smooth)} studies without a break: {covered:.0f} of {total} intervals of exponents and ceilings contain "
        f"the truth ({covered / total:.3f}); a break is claimed in {smooth['break'].mean():.3f}"
    )
    print(f"{len(broken)} studies with a break: found in {broken['break'].mean():.3f}")


if __name__ == "__main__":
    main()
