"""run.json: what a run is, how it was started, and how it ended."""

import json
import platform
import uuid
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

from clf_cli import __version__
from clf_cli.errors import ModelError
from clf_cli.files import write_json
from clf_cli.models.compute import Compute
from clf_cli.values.run_dir import RunDir

FORMAT_VERSION = 1
LIBRARIES = ("torch", "torchvision", "timm", "lightning", "onnx", "onnxruntime", "numpy", "pillow")
Status = Literal["running", "finished", "interrupted", "failed"]


@dataclass(frozen=True)
class RunRecord:
    """The content of run.json. `extended_from` is the number of epochs before --epochs grew."""

    run_id: str
    command: tuple[str, ...]
    seed: int
    device: str
    threads: int
    workers: int
    precision: str
    data_fingerprint: str
    status: Status = "running"
    extended_from: int | None = None
    best_epoch: int | None = None
    validated: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "clf": __version__,
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            **asdict(self),
            "command": list(self.command),
        }


def new_record(compute: Compute, seed: int, fingerprint: str, command: tuple[str, ...]) -> RunRecord:
    """The record of a run that starts now, under an id of its own."""
    return RunRecord(
        run_id=uuid.uuid4().hex[:12],
        command=command,
        seed=seed,
        device=compute.device,
        threads=compute.threads,
        workers=compute.workers,
        precision=compute.precision,
        data_fingerprint=fingerprint,
    )


def write_record(run: RunDir, record: RunRecord) -> None:
    write_json(run.run_json, record.to_json())


def read_record(run: RunDir) -> RunRecord:
    """Raises ModelError (exit 4) when run.json is missing, broken or of a later version."""
    try:
        data = json.loads(run.run_json.read_text(encoding="utf-8"))
        if data["format_version"] > FORMAT_VERSION:
            raise ModelError(f"{run.run_json} was written by a later clf ({data['clf']}).", "Update clf.")
        fields = {name: data[name] for name in RunRecord.__dataclass_fields__}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{run.run_json} cannot be read: {error}.", "Name a folder that clf train wrote.") from error
    return replace(RunRecord(**fields), command=tuple(fields["command"]))
