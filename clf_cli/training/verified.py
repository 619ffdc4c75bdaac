"""Where a run that was killed and continued differs from one that was left alone, to the last bit."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from clf_cli.models.torch_files import load_torch
from clf_cli.values.run_dir import RunDir

# what a checkpoint holds, in the words of a report; wall clocks and the facts of a run's identity are left out
PARTS = {
    "weights that score": "state_dict",
    "live weights": "current_model_state",
    "optimiser": "optimizer_states",
    "learning rates": "lr_schedulers",
    "gradient scaler": "MixedPrecision",  # of fp16
    "progress": "loops",
    "scores and early stopping": "callbacks",
}
CLOCK = "TimingCallback"


@dataclass(frozen=True)
class Part:
    """One part of the two runs' states: `values` were compared, those of `different` are not equal; `largest` is the
    largest difference of numbers (0 where only other values differ)."""

    name: str
    values: int
    different: tuple[str, ...]
    largest: float


@dataclass(frozen=True)
class VerifyResumeResult:
    """`killed_after` is the optimiser step of the checkpoint that the killed run went on from; `repeats` says whether
    two runs that were left alone agree, None where nobody needed to know."""

    kind: ClassVar[str] = "verify_resume"

    equal: bool
    arch: str
    device: str
    precision: str
    threads: int
    workers: int
    train_images: int
    val_images: int
    epochs: int
    steps: int
    killed_after: int
    seconds: float
    parts: tuple[Part, ...]
    repeats: bool | None
    reasons: tuple[str, ...]

    def to_result(self) -> dict[str, Any]:
        return asdict(self)


def compared(one: RunDir, other: RunDir) -> tuple[Part, ...]:
    """Every value of both last.ckpt, and both metrics.csv. Raises ModelError (exit 4) where one cannot be read."""
    first, second = (load_torch(run.last, "checkpoint") for run in (one, other))
    parts = [
        _part(name, first.get(key), second.get(key)) for name, key in PARTS.items() if key in first or key in second
    ]
    rows = (dict(enumerate(run.metrics.read_text(encoding="utf-8").splitlines())) for run in (one, other))
    return (*parts, _part("rows of metrics.csv", *rows))


def _part(name: str, one: Any, other: Any) -> Part:
    mine, theirs = dict(_leaves(one)), dict(_leaves(other))
    names = list(dict.fromkeys((*mine, *theirs)))
    different = tuple(path for path in names if not _equal(mine.get(path), theirs.get(path)))
    largest = max((_distance(mine.get(path), theirs.get(path)) for path in different), default=0.0)
    return Part(name, len(names), different, largest)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each tensor, number or text by its keys, clocks left out."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else None
    if pairs is None:
        yield path, value
        return
    for key, inner in pairs:
        if not str(key).startswith(CLOCK):
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


def _distance(one: Any, other: Any) -> float:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.shape == other.shape:
        return float((one.double() - other.double()).abs().max()) if one.numel() else 0.0
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(float(one) - float(other))
    return 0.0
