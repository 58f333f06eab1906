"""Write the best confirmed model of a study as a folder that `lvm_core.predict` loads: weights, config, model card."""

import tempfile
from pathlib import Path

from lvm_core.checkpoint import CONFIG, WEIGHTS, encode, read_folder, write_folder
from lvm_core.errors import InputError
from lvm_core.predict import Predictor
from lvm_core.predict.latency import Latency, measure_latency
from study.analysis.evidence import Evidence
from study.export.model_card import model_card
from study.messages.validation import nearest
from study.records.store import RecordStore
from study.trial.node import one_thread

CARD = "README.md"  # the name that model hubs expect


def export_model(evidence: Evidence, folder: str, cell_id: str | None = None) -> str:
    """Write the model of the best cell, or of a given one, and return a summary sentence.

    The model is loaded and timed before anything is written.
    Raises: InputError for an unknown cell, a folder in use, or a checkpoint that is missing, damaged or truncated.
    """
    target = Path(folder)
    _check_free(target)
    entry = _entry(evidence, cell_id)
    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / entry["trial_id"]
        _fetch_checkpoint(evidence.study.location, entry["trial_id"], checkpoint)
        predictor = Predictor.load(checkpoint)
        one_thread()  # as for the trials; a second thread costs more than it saves on such a small model
        latencies = measure_latency(predictor, context_lengths(predictor.context_length))
        tensors, facts = read_folder(checkpoint)
    facts |= _origin(evidence, entry, latencies)
    card = model_card(evidence, entry, facts, latencies)
    write_folder(target, {CARD: card.encode(), **encode(tensors, facts)})
    return (
        f"wrote {target} ({WEIGHTS}, {CONFIG}, {CARD}): {entry['cell_id']}, trial {entry['trial_id']}, "
        f"test Hit@5 of the cell {entry['hit_at_5']:.3f}"
    )


def context_lengths(trained: int) -> list[int]:
    """Return the context lengths to time: powers of 4 below the trained one, and the trained one."""
    return sorted({1, trained, *(4**power for power in range(1, 8) if 4**power < trained)})


def _check_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"--export must name a new or empty folder, but {target} is not empty. Give another one.")


def _entry(evidence: Evidence, cell_id: str | None) -> dict:
    if cell_id is None:
        return evidence.best["overall"]
    cells = evidence.best["cells"]
    if cell_id not in cells:
        raise InputError(f"--cell must be a confirmed cell of the study, but got {cell_id}{nearest(cell_id, cells)}.")
    return cells[cell_id]


def _fetch_checkpoint(location: str, trial_id: str, folder: Path) -> None:
    """Copy a trial's checkpoint from the study's store."""
    store = RecordStore.at(location)
    folder.mkdir()
    for name in (WEIGHTS, CONFIG):
        try:
            (folder / name).write_bytes(store.read_bytes(f"checkpoints/{trial_id}/{name}"))
        except OSError as error:
            raise InputError(
                f"the trial to export must have its checkpoint, but {store.path(f'checkpoints/{trial_id}/{name}')} "
                f"cannot be read: {error}. Restore it, or move that trial's records away and --resume the study."
            ) from error


def _origin(evidence: Evidence, entry: dict, latencies: list[Latency]) -> dict:
    names = ("hit_at_1", "hit_at_5", "hit_at_5_low", "hit_at_5_high", "hit_at_10", "mrr", "pool_size", "num_queries")
    cell = evidence.cells.set_index("cell_id").loc[entry["cell_id"]]
    return {
        "study": evidence.study.manifest.study,
        "cell_id": entry["cell_id"],
        "test": {name: cell[name].item() for name in names if name in cell},
        "latency_ms": {str(one.context_length): [round(one.p50_ms, 3), round(one.p95_ms, 3)] for one in latencies},
    }
