"""run.json: what a run is, how it was started, and how it ended."""

import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from clf_cli import __version__
from clf_cli.errors import ModelError
from clf_cli.reading import read_json
from clf_cli.values.run_dir import RunDir
from clf_cli.values.typed import typed

FORMAT_VERSION = 1
LIBRARIES = ("torch", "torchvision", "timm", "lightning", "onnx", "onnxruntime", "numpy", "pillow")
Status = Literal["running", "finished", "interrupted", "failed"]


@dataclass(frozen=True)
class RunRecord:
    """The content of run.json. `extended_from` is the number of epochs before --epochs grew, `started` a time in UTC,
    `init_from` the checkpoint that it started from and `init_run_id` the run which made that, `trackers` what each
    tracker calls the run.

    What has a default here may be absent from the file: an earlier clf did not write it.
    """

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
    started: str | None = None
    init_from: str | None = None
    init_run_id: str | None = None
    trackers: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "clf": __version__,
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            **asdict(self),
            "command": list(self.command),
        }


def read_record(run: RunDir) -> RunRecord:
    """Raises ModelError (exit 4) when run.json is missing, broken or of a later version."""
    try:
        data = read_json(run.run_json)
        if data["format_version"] > FORMAT_VERSION:
            raise ModelError(f"{run.run_json} was written by a later clf ({data['clf']}).", "Update clf.")
        fields = {name: data[name] for name in RunRecord.__dataclass_fields__ if name in data}
        record = typed(RunRecord(**{**fields, "command": tuple(fields["command"])}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{run.run_json} cannot be read: {error}.", "Name a folder that clf train wrote.") from error
    return record
