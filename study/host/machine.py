"""Describe this machine, and measure a process's memory."""

import contextlib
import os
import platform
import resource
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lvm_core.version import TRAINER_VERSION

PACKAGES = ("torch", "ray", "optuna", "faiss-cpu", "numpy", "pandas", "pyarrow", "scipy", "pydantic", "safetensors")


def code_version() -> str:
    """Return the package version and the trainer's version."""
    return f"{_package_version('lvm-study') or 'source'}+{TRAINER_VERSION}"


def versions() -> dict[str, str | None]:
    """Return versions of Python and of the packages that affect numbers."""
    return {"python": platform.python_version(), **{name: _package_version(name) for name in PACKAGES}}


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def hardware() -> dict[str, object]:
    """Return host, processor, cores and memory."""
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": _processor(),
        "num_cpus": num_cpus(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def num_cpus() -> int:
    """Return the number of cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def reset_peak_rss() -> None:
    """Reset the peak if the kernel allows it; one process runs many trials."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss_bytes() -> int:
    """Return the peak resident memory since `reset_peak_rss`, or of the whole process if it cannot be reset."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
