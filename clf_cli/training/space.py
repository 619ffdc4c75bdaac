"""The disk that a run takes: told by `--dry-run`, and looked at before a run's first step."""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from clf_cli.data.samplers import epoch_length
from clf_cli.engine.onnx_golden import GOLDEN
from clf_cli.errors import RunError
from clf_cli.training.callbacks.checkpoints import TOP
from clf_cli.training.pictures import BYTES
from clf_cli.training.schedule import plan_steps
from clf_cli.training.start import Start
from clf_cli.values.run_dir import RunDir

OPTIMIZER_SETS = {"adamw": 2, "sgd": 1}  # tensors of the parameters' size that the optimiser keeps
PICTURE_MB = 0.6  # the largest pictures of an epoch, a confusion matrix of 42 classes and a grid of 16 photographs
EPOCH_MB, CELL_MB = 0.01, 8e-6  # an epoch's other files, and what a cell of the confusion matrix adds
RUN_MB = 4  # reports, curves and the page at the end


@dataclass(frozen=True)
class Space:
    """MB that a whole run takes. `steps_mb` are its step checkpoints, without which `checkpoints_mb` is; `aside_mb` is
    taken only while a checkpoint is written beside those that it replaces, `unlinked_mb` only where a file cannot have
    two names; reports and pictures are the most."""

    checkpoints_mb: float
    steps_mb: float
    aside_mb: float
    unlinked_mb: float
    export_mb: float
    reports_mb: float

    @property
    def least_mb(self) -> float:
        """Without which the run cannot end, however early it stops."""
        return self.checkpoints_mb + self.export_mb

    @property
    def most_mb(self) -> float:
        return self.least_mb + self.steps_mb + self.aside_mb + self.unlinked_mb + self.reports_mb


def space_needed(start: Start, state_mb: float, parameters_mb: float) -> Space:
    """Of a run whose network's state and parameters have these MB."""
    settings = start.settings
    keeps, epochs, every = settings.callbacks.checkpoints, settings.optim.epochs, settings.train.checkpoint_every_steps
    scored_mb = state_mb * (2 if settings.ema.enabled else 1)
    whole_mb = scored_mb + parameters_mb * OPTIMIZER_SETS[settings.optim.optimizer]
    validates = settings.train.val and bool(start.dataset.split("val"))
    scored = min(TOP, epochs) if validates else 0  # best.ckpt is one of them
    golden_mb = (GOLDEN + 1) * 12 * start.preprocess.height * start.preprocess.width / 1e6
    copies = 1 if "mlflow" in settings.train.tracker else 0
    return Space(
        checkpoints_mb=(scored * scored_mb + min(2, epochs) * whole_mb) * keeps + copies * scored_mb,
        steps_mb=keeps * whole_mb * (_steps(start) // every) if every else 0.0,
        aside_mb=keeps * (scored_mb if validates else 0.0),  # prev.ckpt goes before the new last.ckpt is written
        unlinked_mb=keeps * max(whole_mb, 2 * scored_mb if validates else 0.0),
        export_mb=(state_mb + golden_mb if settings.export.enabled else 0.0) * (1 + copies),
        reports_mb=_reports_mb(start),
    )


def require_space(start: Start, network: nn.Module) -> tuple[str, ...]:
    """Lines to warn with where the disk may not do. Raises RunError (exit 6) where it cannot: a run that fills the
    disk after hours is worse. What a resumed run has on the disk already is not counted again."""
    free = free_mb(start.run.root)
    if free is None:
        return ()
    need = space_needed(start, *sizes_mb(network))
    has = _held_mb(start.run)
    least = max(need.least_mb - has, need.aside_mb)
    if least > free:
        raise RunError(
            f"The run needs at least {least:,.1f} MB for checkpoints and export, and {free:,.1f} MB are free in "
            f"{start.run.root}.",
            "Free some space or, for a new run, name another folder with --out.",
        )
    most = max(need.most_mb - has, least)
    if most <= free:
        return ()
    return (
        f"The run may write {most:,.1f} MB into {start.run.root}, and {free:,.1f} MB are free there; "
        "`clf train --dry-run` says what takes them.",
    )


def sizes_mb(network: nn.Module) -> tuple[float, float]:
    """MB of the network's state and of its parameters."""
    state = sum(tensor.nbytes for tensor in network.state_dict().values())
    return state / 1e6, sum(parameter.nbytes for parameter in network.parameters()) / 1e6


def free_mb(root: Path) -> float | None:
    """MB that are free on the disk of a folder that need not exist; None where the file system does not tell."""
    absolute = root.absolute()
    there = next(folder for folder in (absolute, *absolute.parents) if folder.exists())
    usage = shutil.disk_usage(there)
    return usage.free / 1e6 if usage.total else None


def _steps(start: Start) -> int:
    """Optimiser steps of the whole run."""
    optim = start.settings.optim
    size = optim.images_per_batch
    return plan_steps(optim, math.ceil(epoch_length(len(start.dataset.split("train")), size) / size)).total


def _reports_mb(start: Start) -> float:
    """The most: with --pictures auto epochs are drawn up to BYTES and what passes them, and the best and the last."""
    switches, epochs = start.settings.callbacks, start.settings.optim.epochs
    drawn = min(2, epochs) if switches.pictures == "last" else epochs
    epoch = (switches.confusion + switches.samples) * PICTURE_MB
    pictures = epoch * drawn
    if switches.pictures == "auto":
        pictures = min(pictures, BYTES / 1e6 + 3 * epoch)
    cells = len(start.dataset.labels) ** 2 * switches.confusion * CELL_MB
    return RUN_MB + pictures + epochs * (EPOCH_MB + cells)


def _held_mb(run: RunDir) -> float:
    """What lies in the run's checkpoints and export; a file of two names counts once."""
    files = [file.stat() for folder in (run.checkpoints, run.export) for file in folder.rglob("*") if file.is_file()]
    return sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values()) / 1e6
