"""Put on PYTHONPATH by tests/test_faults.py: makes a worker's training step fail for real, where $LVM_FAULT says so.

$LVM_FAULT is `kind:N,kind:N`: trials with N training sequences hang, spin in C with the lock of the interpreter held,
kill their process, or ask for more memory than there is. Python imports this file before anything else.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
import time


def hang(_) -> None:
    time.sleep(10_000)


def spin(_) -> None:
    sum(range(10**15))


def kill(_) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def oom(_) -> None:
    import torch

    torch.empty(1 << 50, dtype=torch.uint8)


class Injector(importlib.abc.MetaPathFinder):
    """Changes lvm_core.trainer as it is imported."""

    def find_spec(self, name, path, target=None):
        if name != "lvm_core.trainer":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), inject(module))
        return spec


def inject(module) -> None:
    kinds = {int(size): kind for kind, size in (pair.split(":") for pair in os.environ["LVM_FAULT"].split(","))}
    honest = module.Trainer.train_step

    def train_step(self):
        if self.config.num_sequences in kinds and self.step >= 3:
            globals()[kinds[self.config.num_sequences]](self)
        return honest(self)

    module.Trainer.train_step = train_step


if "LVM_FAULT" in os.environ:
    sys.meta_path.insert(0, Injector())
