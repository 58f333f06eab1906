"""Write the curves of all trials as TensorBoard scalars, one run per trial."""

from pathlib import Path

from lvm_core.errors import InputError
from study.analysis.load import StudyRecords

SKIPPED = ("trial_id", "eval_index", "step")


def write_tensorboard(study: StudyRecords, folder: str) -> int:
    """Write `folder/<cell>/<stage>-<trial>`; return the number of trials. Raises: InputError without tensorboardX."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard needs the package tensorboardX, which is not installed. "
            "Run pip install 'lvm-study[tensorboard]'."
        ) from error
    recorded = study.trials[study.trials.trial_id.isin(study.curves.trial_id)]
    names = [name for name in study.curves.columns if name not in SKIPPED]
    for trial in recorded.itertuples():
        with SummaryWriter(str(Path(folder) / trial.cell_id / f"{trial.stage}-{trial.trial_id}")) as writer:
            for row in study.curve(trial.trial_id).to_dict("records"):
                for name in names:
                    if row[name] == row[name]:  # null: not measured
                        writer.add_scalar(name, row[name], int(row["step"]))
    return len(recorded)
