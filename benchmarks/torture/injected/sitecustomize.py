"""Put on PYTHONPATH by benchmarks.torture.injection: makes the training step of chosen trials fail for real.

$LVM_FAULT is `kind:CELL/REPLICATE,…`: that confirm trial hangs, spins in C while holding the GIL, kills its process,
requests more memory than there is, allocates ever more, or gets NaN weights. Python imports this file before anything
else.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
import time

FIRST_STEP = 3  # earlier steps are normal
running = []  # the name of the trial in this process


def hang(trainer) -> None:
    time.sleep(10_000)


def spin(trainer) -> None:
    sum(range(10**15))


def kill(trainer) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def oom(trainer) -> None:
    import torch

    torch.empty(1 << 50, dtype=torch.uint8)


def grow(trainer) -> None:
    held = []
    while True:  # until Ray's memory monitor kills the process
        held.append(bytearray(os.urandom(1 << 20)) * 64)
        time.sleep(0.05)


def nan(trainer) -> None:
    for weight in trainer.model.parameters():
        weight.data.fill_(float("nan"))


class Injector(importlib.abc.MetaPathFinder):
    """Patches study.trial.run when it is imported."""

    def find_spec(self, name, path, target=None):
        if name != "study.trial.run":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), inject(module))
        return spec


def inject(module) -> None:
    kinds = {trial: kind for kind, trial in (pair.split(":") for pair in os.environ["LVM_FAULT"].split(","))}
    honest_run, honest_step = module._run_model, module.Trainer.train_step

    def run_model(spec, *more):
        running[:] = [f"{spec.cell_id}/{spec.replicate}"]
        yield from honest_run(spec, *more)

    def train_step(self):
        kind = kinds.get(running[0]) if self.step >= FIRST_STEP else None
        if kind is not None:
            globals()[kind](self)
        return honest_step(self)

    module._run_model, module.Trainer.train_step = run_model, train_step


if "LVM_FAULT" in os.environ:
    sys.meta_path.insert(0, Injector())
