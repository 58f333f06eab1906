"""Write a trial's ranks as a TREC run and its qrels, which retrieval evaluators read to the same Hit@K."""

from lvm_core.errors import InputError
from study.analysis.load import StudyRecords

DEPTH = 1000  # lines a query at most, as TREC runs have


def trec_files(study: StudyRecords, trial_id: str) -> tuple[bytes, bytes, int]:
    """Return (run, qrels, queries with ties) of a trial's test ranks.

    Records keep ranks, not candidates: in the run, made-up documents stand before the target, which stands at its rank;
    nothing stands behind it, and a target beyond DEPTH is left out. Scores are distinct. A target with ties stands last
    among them, so that an evaluator's Hit@K there is the least possible, while this tool's breaks ties at random.

    Raises: InputError where the trial has no test ranks.
    """
    ranks = study.ranks[(study.ranks.trial_id == trial_id) & (study.ranks.split == "test")]
    if ranks.empty:
        known = study.ranks[study.ranks.split == "test"].trial_id.unique()
        raise InputError(
            f"--trec must name a trial with test ranks (confirm or baseline), but {trial_id} has none in "
            f"{study.location}; there are {len(known)}, such as {known[0] if len(known) else 'none'}. See trials/ "
            "or report/cells.csv."
        )
    ranks = ranks.sort_values("query_id")
    run = "".join(_lines(row, trial_id) for row in ranks.itertuples())
    qrels = "".join(f"q{row.query_id} 0 d{row.query_id} 1\n" for row in ranks.itertuples())
    return run.encode(), qrels.encode(), int((ranks.num_ties > 0).sum())


def _lines(row, trial_id: str) -> str:
    """Return one query's lines, best first. Documents d… are rows of the corpus, x… made-up nearer ones."""
    place = int(row.rank + row.num_ties)
    names = [f"x{i}" for i in range(1, min(place, DEPTH + 1))]
    names += [f"d{row.query_id}"] if place <= DEPTH else []
    return "".join(f"q{row.query_id} Q0 {name} {i} {DEPTH + 1 - i} {trial_id}\n" for i, name in enumerate(names, 1))
