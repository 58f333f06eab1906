"""Write a trial's ranks as a TREC run and qrels, for which retrieval evaluators compute the same Hit@K."""

from lvm_core.errors import InputError
from study.analysis.load import StudyRecords

DEPTH = 1000  # maximum lines per query, as usual for TREC runs


def trec_files(study: StudyRecords, trial_id: str) -> tuple[bytes, bytes, int]:
    """Return (run, qrels, queries with ties) of a trial's test ranks.

    Records keep ranks, not candidates, so the run lists placeholder documents up to the target at its rank, and none
    after it; a target beyond DEPTH is omitted. Scores are distinct. A tied target comes last among its ties, so that an
    evaluator's Hit@K is a lower bound, while this tool breaks ties at random.

    Raises: InputError if the trial has no test ranks.
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
    """Return one query's lines, best first. Documents d… are rows of the corpus, x… placeholders for nearer ones."""
    place = int(row.rank + row.num_ties)
    names = [f"x{i}" for i in range(1, min(place, DEPTH + 1))]
    names += [f"d{row.query_id}"] if place <= DEPTH else []
    return "".join(f"q{row.query_id} Q0 {name} {i} {DEPTH + 1 - i} {trial_id}\n" for i, name in enumerate(names, 1))
