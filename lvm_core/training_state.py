"""Save a running trainer and carry on later, to the same numbers."""

from dataclasses import asdict
from pathlib import Path

import torch

from lvm_core.checkpoint import encode, read_folder, write_folder
from lvm_core.evaluation import Evaluation, Measurement
from lvm_core.trainer import Trainer

COUNTERS = ("step", "num_evaluations", "elapsed_s", "eval_s")


def save_training_state(trainer: Trainer, folder: Path) -> None:
    """Write weights, optimizer moments, best evaluation and counters. Call it between evaluations.

    Batches and dropout are computed from the step, so there is no random state to keep.
    """
    tensors = {f"weights/{name}": value for name, value in trainer.model.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in trainer.best_weights.items()}
    for number, moments in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": torch.as_tensor(value) for name, value in moments.items()}
    facts = {name: getattr(trainer, name) for name in COUNTERS}
    if trainer.best is not None:
        validation = trainer.best.validation
        tensors["best_rank"] = torch.from_numpy(validation.rank)
        tensors["best_num_ties"] = torch.from_numpy(validation.num_ties)
        facts["best"] = {**asdict(trainer.best), "validation": _scalars(validation)}
    write_folder(folder, encode(tensors, facts))


def load_training_state(trainer: Trainer, folder: Path) -> None:
    """Bring a fresh trainer of the same configuration to the saved point. Raises: InputError as `read_folder`."""
    tensors, facts = read_folder(folder)
    trainer.model.load_state_dict(_under(tensors, "weights/"))
    trainer.best_weights = _under(tensors, "best/")
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _under(tensors, "optimizer/").items():
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = value
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    for name in COUNTERS:
        setattr(trainer, name, facts[name])
    if "best" in facts:
        rank, num_ties = tensors["best_rank"].numpy(), tensors["best_num_ties"].numpy()
        validation = Measurement(rank, num_ties, **facts["best"].pop("validation"))
        trainer.best = Evaluation(**facts["best"], validation=validation)


def _scalars(measured: Measurement) -> dict[str, float | None]:
    return {"cosine": measured.cosine, "loss": measured.loss, "infonce": measured.infonce}


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
