"""A rung of the ladder in a process of its own: it reads the checkpoint itself and writes the file.

`python -m clf_cli.engine.onnx_rung REQUEST.json` is the child.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clf_cli.engine.onnx_child import Limits, child_main, python_module, write_by_child
from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_metadata import Made
from clf_cli.models.checkpoint import Checkpoint, read_checkpoint
from clf_cli.models.malloc import give_back_freed_memory
from clf_cli.models.network import load_network
from clf_cli.values.contract import Contract

CHILD = python_module("clf_cli.engine.onnx_rung")


@dataclass(frozen=True)
class Request:
    """The checkpoint, which of its weights and what to write beside them, with which tool, and where."""

    checkpoint: Path
    contract: Contract
    made: Made
    model: Path

    def to_json(self) -> dict[str, Any]:
        return {
            "checkpoint": str(self.checkpoint),
            "contract": self.contract.to_json(),
            "made": self.made.to_json(),
            "model": str(self.model),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Request":
        return cls(
            checkpoint=Path(data["checkpoint"]),
            contract=Contract.from_json(data["contract"]),
            made=Made(**data["made"]),
            model=Path(data["model"]),
        )


def write_here(checkpoint: Checkpoint, request: Request) -> None:
    """Writes the file in this process, and leaves its random state as it was. Raises what `write_onnx` raises."""
    with torch.random.fork_rng(devices=[]):  # a network is built with random weights
        network, _ = load_network(checkpoint, request.contract.weights == "ema", fused_attention=False)
        write_onnx(network, request.contract, request.made, request.model)
    del network
    give_back_freed_memory()  # several times the file, which ONNX Runtime needs next


def write_in_child(request: Request, limits: Limits, child: Sequence[str] = CHILD) -> None:
    """Writes the file in a child. Raises ExportError (exit 5), whose message is a clause, RunError (exit 6) where the
    disk is full."""
    asked = request.model.with_suffix(".request.json")
    asked.write_text(json.dumps(request.to_json()), encoding="utf-8")
    write_by_child([*child, str(asked)], request.model, limits)


def main(arguments: Sequence[str]) -> None:
    """The child's work, on one thread as everywhere."""
    torch.set_num_threads(1)
    request = Request.from_json(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    write_here(read_checkpoint(request.checkpoint), request)


if __name__ == "__main__":
    child_main(lambda: main(sys.argv[1:]))
