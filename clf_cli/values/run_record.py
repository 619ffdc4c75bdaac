"""run.json: what a run is, how it was started, and how it ended."""

import platform
from dataclasses import asdict, dataclass, field
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
    tracker calls the run. `planned` maps optimiser steps to the epochs planned from there on, for a run whose epochs
    changed; `drift` tells by key what was allowed to change when it was resumed, `resumed` how often that was;
    `machine` is the CPU's instruction set, the GPU and CUDA.

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
    planned: dict[str, int] = field(default_factory=dict)
    drift: dict[str, str] = field(default_factory=dict)
    resumed: int = 0
    machine: dict[str, str] = field(default_factory=dict)
    compile: str = "off"

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "clf": __version__,
            "python": platform.python_version(),
            "libraries": library_versions(),
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


def library_versions() -> dict[str, str]:
    """Of what a run's numbers depend on."""
    from importlib.metadata import version  # 7 ms, which a command on a model does without

    return {name: version(name) for name in LIBRARIES}


def current_versions() -> dict[str, str]:
    """Of clf, Python and the libraries that decide what a run computes."""
    return {"clf": __version__, "python": platform.python_version()} | library_versions()


def recorded_versions(run: RunDir) -> dict[str, str]:
    """Those with which the run was last started, as far as run.json tells them."""
    data = read_json(run.run_json)
    libraries = data.get("libraries")
    found = {"clf": data.get("clf"), "python": data.get("python")} | (libraries if isinstance(libraries, dict) else {})
    return {name: value for name, value in found.items() if isinstance(value, str)}
