"""`clf train --dry-run`: a run up to its third step, and what the whole of it would do and cost."""

import math
import shutil
from pathlib import Path

from torch import nn

from clf_cli.engine.model_info import model_info
from clf_cli.engine.onnx_golden import GOLDEN
from clf_cli.models.compute import apply
from clf_cli.training.callbacks.checkpoints import TOP
from clf_cli.training.feed import Feed, build_feed
from clf_cli.training.fit import starting_network
from clf_cli.training.plan import (
    Costs,
    PlannedCompute,
    PlannedData,
    PlannedModel,
    PlannedTraining,
    PlanResult,
    Tried,
)
from clf_cli.training.rehearsal import rehearse
from clf_cli.training.schedule import StepPlan, plan_steps
from clf_cli.training.session import quiet_libraries
from clf_cli.training.shared_memory import with_shared_memory
from clf_cli.training.start import Start
from clf_cli.training.watcher import Watcher

OPTIMIZER_SETS = {"adamw": 2, "sgd": 1}  # tensors of the parameters' size that the optimiser keeps
NO_CALLBACKS = ("sample_count", "pictures")  # settings of that section that are no switches
PICTURE_MB = 0.6  # the largest pictures of an epoch, a confusion matrix of 42 classes and a grid of 16 photographs
EPOCH_MB, CELL_MB = 0.01, 8e-6  # an epoch's other files, and what a cell of the confusion matrix adds
RUN_MB = 4  # reports, curves and the page at the end


def dry_run(start: Start, watcher: Watcher) -> PlanResult:
    """Builds what a run builds, rehearses it, and adds up. Raises what a run raises before its third step."""
    with quiet_libraries(None):
        apply(start.compute)
        network, origin = starting_network(start)
        start = with_shared_memory(start)
        feed = build_feed(start)
        for note in (*start.notes, *([origin] if origin else []), *feed.notes):
            watcher.say(note)
        info = model_info(network, start.settings.model.arch, start.preprocess, start.dataset.labels)
        state_mb = sum(tensor.nbytes for tensor in network.state_dict().values()) / 1e6
        tried = rehearse(start, network, feed)
    parameters_mb = _parameters_mb(network)
    steps = plan_steps(start.settings.optim, len(feed.train_loader))
    return PlanResult(
        run=start.run.root.as_posix(),
        data=planned_data(start, feed),
        model=PlannedModel(info.arch, info.parameters, info.multiply_adds, start.preprocess, origin),
        training=planned_training(start, feed, steps),
        compute=PlannedCompute(
            start.compute.device, start.compute.precision, start.compute.threads, start.compute.workers
        ),
        tried=tried,
        costs=costs(start, feed, steps, tried, (state_mb, parameters_mb)),
    )


def planned_data(start: Start, feed: Feed) -> PlannedData:
    dataset = start.dataset
    return PlannedData(
        path=dataset.root.as_posix(),
        fingerprint=dataset.fingerprint,
        classes=len(dataset.labels),
        images={split: len(dataset.split(split)) for split in ("train", "val", "test")},
        skipped=len(dataset.skipped),
        per_epoch=feed.images,
    )


def planned_training(start: Start, feed: Feed, steps: StepPlan) -> PlannedTraining:
    settings = start.settings
    optim, train, switches = settings.optim, settings.train, settings.callbacks.model_dump(exclude=set(NO_CALLBACKS))
    validates = feed.val is not None
    stops = validates and settings.callbacks.early_stopping
    return PlannedTraining(
        epochs=optim.epochs,
        batch_size=optim.images_per_batch,
        accumulate=optim.accumulate,
        optimizer=optim.optimizer,
        lr=optim.lr,
        weight_decay=optim.weight_decay,
        steps=steps,
        ema_decay=settings.ema.decay if settings.ema.enabled else None,
        monitor=train.monitor if validates else None,
        patience=train.patience if stops else None,
        callbacks=tuple(name for name, is_on in switches.items() if is_on),
        trackers=tuple(dict.fromkeys(("csv", *train.tracker))),
        opset=settings.export.opset if settings.export.enabled else None,
    )


def costs(start: Start, feed: Feed, steps: StepPlan, tried: Tried, sizes: tuple[float, float]) -> Costs:
    """`sizes` are MB of the network's state and of its parameters."""
    settings = start.settings
    state_mb, parameters_mb = sizes
    epochs = settings.optim.epochs
    seconds = len(feed.train_loader) * tried.batch_seconds
    if feed.val is not None and math.isfinite(tried.val_seconds):
        seconds += len(feed.val.paths) / tried.val_images * tried.val_seconds
    scored_mb = state_mb * (2 if settings.ema.enabled else 1)
    whole_mb = scored_mb + parameters_mb * OPTIMIZER_SETS[settings.optim.optimizer]
    scored = 0 if feed.val is None else 1 + min(TOP, epochs)
    kept = settings.train.checkpoint_every_steps
    whole = min(2, epochs) + (steps.total // kept if kept else 0)
    golden_mb = (GOLDEN + 1) * 12 * start.preprocess.height * start.preprocess.width / 1e6
    export_mb = state_mb + golden_mb if settings.export.enabled else 0.0
    copies = 1 if "mlflow" in settings.train.tracker else 0
    return Costs(
        epoch_seconds=seconds,
        seconds=seconds * epochs,
        images_mb=(feed.train_loader.held + (0 if feed.val_loader is None else feed.val_loader.held)) / 1e6,
        checkpoints_mb=(scored * scored_mb + whole * whole_mb) * settings.callbacks.checkpoints + copies * scored_mb,
        export_mb=export_mb * (1 + copies),
        reports_mb=_reports_mb(start),
        free_mb=_free_mb(start.run.root),
    )


def _reports_mb(start: Start) -> float:
    """The most: with --pictures auto a long run draws nearly every epoch, a short one the best and the last."""
    switches, epochs = start.settings.callbacks, start.settings.optim.epochs
    drawn = min(2, epochs) if switches.pictures == "last" else epochs
    pictures = (switches.confusion + switches.samples) * drawn * PICTURE_MB
    cells = len(start.dataset.labels) ** 2 * switches.confusion * CELL_MB
    return RUN_MB + pictures + epochs * (EPOCH_MB + cells)


def _parameters_mb(network: nn.Module) -> float:
    return sum(parameter.nbytes for parameter in network.parameters()) / 1e6


def _free_mb(path: Path) -> float:
    there = next(folder for folder in path.absolute().parents if folder.exists())
    return shutil.disk_usage(there).free / 1e6
