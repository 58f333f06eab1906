"""Choose a device and a precision, and gather vectors on the device."""

import numpy as np
import torch

from lvm_core.errors import InputError

RESIDENT_BYTES = 4 << 30  # a corpus up to this size is copied to the accelerator once


def resolve_device(name: str) -> str:
    """Return the device, with `auto` as the fastest one of this machine. Raises: InputError for one that it lacks."""
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if name == "auto":
        return available[0]
    if name not in available:
        raise InputError(f"the device must be one of {', '.join(available)} here, but got {name}. Set fixed.device.")
    return name


def resolve_precision(name: str, device: str) -> str:
    """Return the precision, with `auto` as bfloat16 where the device computes it natively, else float32."""
    if name != "auto":
        return name
    return "bfloat16" if _has_bfloat16(device) else "float32"


def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8  # Ampere and later; older GPUs emulate it
    if device == "cpu":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False


class VectorSource:
    """Gathers corpus rows as float32 tensors: on a CPU from the memory map, on an accelerator from a resident copy."""

    def __init__(self, vectors: np.ndarray, device: str):
        self.device = torch.device(device)
        self._vectors = vectors
        fits = device != "cpu" and vectors.nbytes <= RESIDENT_BYTES
        self._resident = torch.from_numpy(np.array(vectors)).to(self.device) if fits else None

    def gather(self, rows: np.ndarray) -> torch.Tensor:
        """Return the vectors of corpus rows. [...] int64 -> [..., D] float32."""
        if self._resident is not None:
            return self._resident[torch.from_numpy(rows).to(self.device)]
        return torch.from_numpy(np.take(self._vectors, rows, axis=0)).to(self.device)
