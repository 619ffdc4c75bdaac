"""Where and with what the math runs: `auto` settings become values that fit this machine."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clf_cli.errors import UsageError
from clf_cli.models.malloc import keep_freed_memory
from clf_cli.settings.sections import ComputeSection

Precision = Literal["fp32", "bf16", "fp16"]
Compilation = Literal["off", "on"]
CPUINFO = Path("/proc/cpuinfo")
BF16_PRODUCTS = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux names them on x86, and on arm64


@dataclass(frozen=True)
class Compute:
    """A ComputeSection without `auto`; threads + workers never exceed the cores of this process."""

    device: str  # cpu, cuda:0, mps
    threads: int  # of math, in the main process
    workers: int  # processes that read images; 0 reads in the main one
    precision: Precision  # of training, which may still find another for `auto`; scores are always fp32
    seed: int
    channels_last: bool
    deterministic: bool
    compile: Compilation = "off"  # of training steps, which may still be decided for `auto`


def resolve_compute(section: ComputeSection, cores: int | None = None) -> tuple[Compute, tuple[str, ...]]:
    """What to run with, and lines for a person where something asked was changed.

    `cores` defaults to those that this process may use. Imports torch only where the device may be no CPU.

    Raises UsageError (exit 2) for a device that is not there or a precision that it does not have.
    """
    cores = available_cores() if cores is None else cores
    device = "cpu" if section.device == "cpu" else _device(section.device)
    threads, workers, notes = _share_out(section, device, cores)
    compute = Compute(
        device=device,
        threads=threads,
        workers=workers,
        precision=_precision(section, device),
        seed=section.seed,
        channels_last=section.channels_last,
        deterministic=section.deterministic,
        compile="on" if section.compile == "on" else "off",
    )
    return compute, notes


def compute_for(model: Path, section: ComputeSection) -> tuple[Compute, tuple[str, ...]]:
    """`resolve_compute` for a command on a model: an ONNX file runs on the CPU, without torch."""
    if model.suffix.lower() == ".onnx":
        return resolve_compute(section.model_copy(update={"device": "cpu"}))
    return resolve_compute(section)


def apply(compute: Compute) -> None:
    """Sets torch's math threads, on a CPU what becomes of freed memory, and deterministic algorithms where asked.

    All that is for the whole process.
    """
    import torch  # not at the top: ONNX commands resolve their threads here and do without it

    torch.set_num_threads(compute.threads)
    if compute.device == "cpu":
        keep_freed_memory()
    if compute.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def available_cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its container."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(allowed, _quota(Path("/sys/fs/cgroup/cpu.max")) or allowed))


def physical_cores(cores: int, cpuinfo: Path = CPUINFO) -> int:
    """How many of `cores` are no second thread of another: by /proc/cpuinfo, else half of them on x86."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    blocks = [dict(_fields(block)) for block in text.split("\n\n") if block.strip()]
    placed = [block for block in blocks if {"physical id", "core id"} <= block.keys()]
    places = {(block["physical id"], block["core id"]) for block in placed}
    if places:
        threads_per_core = max(1, round(len(placed) / len(places)))
    else:
        threads_per_core = 2 if platform.machine().lower() in ("x86_64", "amd64") else 1
    return max(1, cores // threads_per_core)


def has_bf16_products(cpuinfo: Path = CPUINFO) -> bool:
    """Whether this CPU has instructions that multiply bf16; others imitate them, at a fraction of the speed of fp32."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    flags = next((value for key, value in _fields(text) if key.lower() in ("flags", "features")), "")
    return bool(BF16_PRODUCTS & set(flags.split()))


def _share_out(section: ComputeSection, device: str, cores: int) -> tuple[int, int, tuple[str, ...]]:
    """Threads and workers: what was asked wins over what is found out, as far as the cores reach."""
    asked_threads = None if section.threads == "auto" else section.threads
    asked_workers = None if section.workers == "auto" else section.workers
    wanted_workers = _auto_workers(device, cores) if asked_workers is None else asked_workers
    threads = min(asked_threads, cores) if asked_threads else 1
    workers = min(wanted_workers, cores - threads)
    if asked_threads is None:
        wanted = _omp_threads() or max(1, physical_cores(cores) - workers)
        threads = max(1, min(wanted, cores - workers))
    notes = [
        f"--{name} {asked} became {given}: this process has {cores} core{'' if cores == 1 else 's'}."
        for name, asked, given in (("threads", asked_threads, threads), ("workers", asked_workers, workers))
        if asked is not None and asked != given
    ]
    return threads, workers, tuple(notes)


def _auto_workers(device: str, cores: int) -> int:
    """Reading images takes a tenth to a quarter of the time of training on a CPU, and most of it beside a GPU."""
    if cores <= 2:
        return 0
    return min(8, max(1, cores // 4)) if device == "cpu" else min(16, cores - 1)


def _omp_threads() -> int | None:
    """OMP_NUM_THREADS; of a list for nested levels, the first."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def _device(asked: str) -> str:
    import torch  # see apply

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps"] if torch.backends.mps.is_available() else []
    there = [*(f"cuda:{index}" for index in range(count)), *mps, "cpu"]
    if asked == "auto":
        return there[0]
    device = "cuda:0" if asked == "cuda" else asked
    if device not in there:
        raise UsageError(f"--device {asked} is not on this machine.", f"There is: {', '.join(there)}.")
    return device


def _precision(section: ComputeSection, device: str) -> Precision:
    has_bf16 = device.startswith("cuda") and _gpu_has_bf16()
    if section.precision == "auto":
        return "bf16" if has_bf16 else "fp32"
    if section.precision == "fp16" and device == "cpu":
        raise UsageError("--precision fp16 needs a GPU.", "On a CPU take fp32 or bf16.")
    if section.precision == "bf16" and device.startswith("cuda") and not has_bf16:
        raise UsageError(f"{device} has no bf16.", "Take --precision fp16 or fp32.")
    if section.precision != "fp32" and device == "mps":
        raise UsageError(f"--precision {section.precision} is not supported on mps.", "Take --precision fp32.")
    return section.precision


def _gpu_has_bf16() -> bool:
    import torch  # see apply

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _quota(path: Path) -> int | None:
    """Whole cores of a cgroup's quota, rounded up; None without one."""
    try:
        quota, period = path.read_text().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no cgroup v2 here, or `max`
        return None


def _fields(block: str) -> list[tuple[str, str]]:
    """`key : value` lines."""
    pairs = (line.partition(":") for line in block.splitlines())
    return [(key.strip(), value.strip()) for key, _, value in pairs]
