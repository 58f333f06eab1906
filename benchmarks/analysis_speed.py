"""Time the analysis of a synthetic study from Parquet records: 508 trials with 1,984 queries each, 168 of a search.

    OMP_NUM_THREADS=1 python -m benchmarks.analysis_speed

18 replicates and 6 search trials in each of 28 cells. Computes every table of the report, including intervals.
"""

import tempfile
import time
from pathlib import Path

from study.analysis.evidence import Evidence
from study.analysis.load import StudyRecords, load_study
from study.host.machine import hardware, peak_rss_bytes
from study.records.store import RecordStore
from study.report.files import tables
from tests.planted import LAWS, planted_study


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(planted_study(LAWS["sum"], seed=0, replicates=18), Path(folder))
        made_bytes, started = peak_rss_bytes(), time.perf_counter()
        study = load_study(folder)
        loaded = time.perf_counter()
        evidence = Evidence(study)
        assert len(evidence.cells) and len(tables(evidence)) and evidence.best["overall"]
        ended = time.perf_counter()
    print(f"machine: {hardware()['processor']}")
    print(f"{len(study.trials)} trials, {len(study.ranks):,} ranks")
    print(f"read {loaded - started:.1f} s, analysed {ended - loaded:.1f} s")
    print(f"peak memory {peak_rss_bytes() / 1e9:.2f} GB (of which {made_bytes / 1e9:.2f} GB before the analysis)")


def write(study: StudyRecords, folder: Path) -> None:
    """Write a synthetic study as a real one is written: one file per trial."""
    store = RecordStore.at(folder)
    store.write_json("manifest.json", study.manifest)
    ranks, curves = dict(iter(study.ranks.groupby("trial_id"))), dict(iter(study.curves.groupby("trial_id")))
    for row in study.trials.astype(object).where(study.trials.notna(), None).to_dict("records"):
        curve = curves.get(row["trial_id"])
        own = ranks.get(row["trial_id"])
        store.write_trial(row, [] if curve is None else _plain(curve), None if own is None else dict(own.items()))


def _plain(frame) -> list[dict]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


if __name__ == "__main__":
    main()
