"""What a measurement ran on, for the header of each result: no host, no path, no person."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "timm", "lightning", "onnxruntime", "numpy", "pillow")


def machine() -> dict[str, object]:
    """CPU, the cores that this process may use, GiB of memory, GPU if there is one, versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found: dict[str, object] = {
        "cpu": _field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cores": cores,
        "memory_gib": round(int((_field(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]) / 2**20),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    if (gpu := _gpu()) is not None:
        found["gpu"] = gpu
    return found | {name: known for name in PACKAGES if (known := _version(name)) is not None}


def load() -> float:
    """Processes that ran or waited in the last minute: at more than the cores, believe ratios of CPU time only."""
    return round(os.getloadavg()[0], 1)


def _field(path: Path, name: str) -> str | None:
    """The first value of a `name : value` file."""
    if not path.is_file():
        return None
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), None)


def _gpu() -> str | None:
    """From the driver's own files, so that torch need not be imported."""
    for card in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        return _field(card, "Model")
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    print(machine())
