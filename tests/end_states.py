"""What a run left behind, and where two runs differ, to the last bit."""

from collections.abc import Iterator
from typing import Any

import torch

from clf_cli.values.run_dir import RunDir


def end_state(run: RunDir) -> dict[str, Any]:
    """Everything that the last epoch left: weights, average, optimiser, scheduler, counters, scores."""
    checkpoint: dict[str, Any] = torch.load(run.last, weights_only=True)
    for name in ("callbacks", "clf"):  # paths and ids
        checkpoint.pop(name)
    checkpoint["metrics"] = run.metrics.read_text()
    return checkpoint


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths of the values that are not equal to the last bit; an undefined value equals another."""
    if isinstance(one, torch.Tensor):
        if not (one.dtype == other.dtype and torch.equal(one, other)):
            yield path
    elif isinstance(one, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key), other.get(key), f"{path}/{key}")
    elif isinstance(one, (list, tuple)):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, f"{path}/{index}")
    elif one != other and not str(one) == str(other) == "nan":
        yield path
