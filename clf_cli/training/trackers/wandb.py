"""Weights & Biases: offline in RUN/tracker/wandb unless WANDB_MODE says otherwise."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clf_cli.data.cache import cache_dir
from clf_cli.training.trackers.tracker import Ending, Plain, TrackedRun

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its crash reports and counters; read when it is imported

import wandb

_NOT_IN_A_PROJECT = re.compile(r"[/\\#?%:]")


@dataclass(frozen=True)
class WeightsAndBiases:
    """Scores over their epoch, pictures as media, settings as the config, each model file as an artifact."""

    id: str
    where: str
    run: wandb.Run

    def settings(self, values: Mapping[str, Plain]) -> None:
        self.run.config.update(dict(values), allow_val_change=True)  # type: ignore[no-untyped-call]

    def scores(self, values: Mapping[str, float], epoch: int) -> None:
        self.run.log({**values, "epoch": epoch})

    def picture(self, name: str, path: Path, epoch: int) -> None:
        self.run.log({name: wandb.Image(str(path)), "epoch": epoch})

    def file(self, path: Path, folder: str) -> None:
        """The file is not copied: an offline run is to be synced from where it was trained."""
        artifact = wandb.Artifact(f"{self.id}-{path.stem}", type="model")
        artifact.add_file(str(path.resolve()), name=f"{folder}/{path.name}", skip_cache=True, policy="immutable")
        self.run.log_artifact(artifact)

    def close(self, ending: Ending) -> None:
        self.run.finish(exit_code=0 if ending == "finished" else 1)

    def abandon(self) -> None:
        """Its own end would print a traceback where its service has died."""
        wandb.teardown(exit_code=1)


def open_wandb(run: TrackedRun) -> WeightsAndBiases:
    """The run's own id is the one there, too. Offline, each start is a segment that `wandb sync` joins by that id."""
    folder = run.folder.tracker / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("WANDB_CACHE_DIR", str(cache_dir() / "wandb"))
    mode = os.environ.get("WANDB_MODE") or "offline"
    settings = wandb.Settings(
        mode=mode,
        console="off",
        silent=True,
        symlink=False,
        disable_git=True,
        save_code=False,
        run_id=run.known_as or run.run_id,
        resume=None if mode == "offline" else "allow",
        run_name=run.folder.root.name,
        project=os.environ.get("WANDB_PROJECT") or _NOT_IN_A_PROJECT.sub("-", run.group)[:128] or "clf",
    )
    opened = wandb.init(dir=str(folder), settings=settings)
    opened.define_metric("epoch")
    opened.define_metric("*", step_metric="epoch")
    upload = f"offline; to upload: wandb sync {shlex.quote(opened.settings.sync_dir)}"
    return WeightsAndBiases(id=opened.id, where=upload if mode == "offline" else opened.url or mode, run=opened)
