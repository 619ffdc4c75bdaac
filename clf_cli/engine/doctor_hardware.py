"""Processor, memory and devices: what is there, what each can do, and what `auto` makes of it."""

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clf_cli.engine.doctor_check import Check, gigabytes
from clf_cli.engine.onnx_info import available_providers
from clf_cli.errors import UsageError
from clf_cli.models.compute import CPUINFO, Compute, available_cores, physical_cores, resolve_compute
from clf_cli.settings.sections import ComputeSection

GROUP = "hardware"
MEMINFO = Path("/proc/meminfo")
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
LITTLE_MEMORY = 2e9  # bytes: importing torch and training a small network take one
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
_SIDES = {"cpu": 512, "mps": 1024, "cuda": 4096}  # of the matrices whose product is timed


def hardware(section: ComputeSection) -> tuple[tuple[Check, ...], Compute | None]:
    """The lines, and what a training with these settings would run on; None when that is not there."""
    runtime = Check(GROUP, "onnx runtime", f"runs on the CPU; it has {', '.join(available_providers())}")
    machine = (_processor(), _memory(), runtime)
    try:
        devices = tuple(_devices())
    except (ImportError, OSError) as error:  # a library that it is linked with is missing, or another's
        reason = str(error).splitlines()[0]
        broken = Check(GROUP, "torch", f"cannot be imported: {reason}", "problem", "Install torch again.")
        return (*machine, broken), None
    compute, chosen = _chosen(section)
    return (*machine, *devices, *chosen), compute


def _chosen(section: ComputeSection) -> tuple[Compute | None, tuple[Check, ...]]:
    try:
        compute, notes = resolve_compute(section)
    except UsageError as error:
        return None, (Check(GROUP, "device", error.message, "problem", error.hint),)
    value = f"{compute.device}, {compute.precision}, --threads {compute.threads}, --workers {compute.workers}"
    warnings = (Check(GROUP, "settings", note, "warning") for note in notes)
    return compute, (Check(GROUP, "clf train takes", value), *warnings)


def _processor(cpuinfo: Path = CPUINFO) -> Check:
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, flags=re.MULTILINE)
    features = [feature for feature in _FEATURES if flags and feature in flags[1].split()]
    cores = available_cores()
    value = [
        name[1] if name else platform.processor() or platform.machine(),
        f"cores for this process: {cores} of {os.cpu_count()}, physical: {physical_cores(cores)}",
        *([" ".join(features)] if features else []),
    ]
    return Check(GROUP, "processor", ", ".join(value))


def _memory(meminfo: Path = MEMINFO, limits: tuple[Path, ...] = MEMORY_LIMITS) -> Check:
    """Of the machine, or of the container where that is less."""
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _text(meminfo), flags=re.MULTILINE))
    if "MemTotal" not in kilobytes:
        return Check(GROUP, "memory", "not known on this platform")
    total, free = (int(kilobytes[name]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit = min((int(text) for path in limits if (text := _text(path).strip()).isdecimal()), default=total)
    limited = f", {gigabytes(limit)} for this container" if limit < total else ""
    little = min(free, limit) < LITTLE_MEMORY
    return Check(
        GROUP,
        "memory",
        f"{gigabytes(free)} free of {gigabytes(total)}{limited}",
        "warning" if little else "ok",
        "Training needs about 2 GB: close other programs, or lower --batch-size." if little else None,
    )


def _devices() -> Iterator[Check]:
    import torch  # not at the top: the other lines do without it

    fp32, bf16 = {"fp32": torch.float32}, {"bf16": torch.bfloat16}
    yield _measured("cpu", "", fp32 | bf16)
    if torch.backends.mps.is_available():
        yield _measured("mps", "", fp32)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        facts: Any = torch.cuda.get_device_properties(index)
        name = f"cuda:{index}"
        described = f"{facts.name}, {gigabytes(facts.total_memory)}, compute {facts.major}.{facts.minor}: "
        halves = (bf16 if torch.cuda.is_bf16_supported(including_emulation=False) else {}) | {"fp16": torch.float16}
        yield _measured(name, described, fp32 | halves)
    if not count and shutil.which("nvidia-smi"):
        build = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is built without CUDA"
        yield Check(
            GROUP,
            "cuda",
            f"there is an NVIDIA driver, but torch {torch.__version__} {build} and finds no device",
            "warning",
            "Install the torch build for this driver; `nvidia-smi` names the CUDA version that it supports.",
        )


def _measured(device: str, described: str, precisions: Mapping[str, Any]) -> Check:
    """The device with the speed of a matrix product in each precision, by torch's type."""
    import torch  # see _devices

    side = _SIDES[device.partition(":")[0]]
    try:
        speeds = {
            name: 2e-9 * side**3 / _seconds(torch.ones(side, side, dtype=kind, device=device))
            for name, kind in precisions.items()
        }
    except RuntimeError as error:  # of a driver or a build that does not fit
        reason = str(error).splitlines()[0]
        return Check(GROUP, device, f"{described}{reason}", "warning", "Train with --device cpu.")
    return Check(GROUP, device, described + ", ".join(f"{name} {speed:,.0f} GFLOP/s" for name, speed in speeds.items()))


def _seconds(matrix: Any) -> float:
    """The better of two products, after one that warms up."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for the device
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
