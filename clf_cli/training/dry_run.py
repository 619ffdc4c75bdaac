"""`clf train --dry-run`: a run up to its third step, and what the whole of it would do and cost."""

import math
from dataclasses import replace

from clf_cli.engine.model_info import model_info
from clf_cli.models.compute import apply
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
from clf_cli.training.space import free_mb, sizes_mb, space_needed
from clf_cli.training.start import Start
from clf_cli.training.watcher import Watcher

NO_CALLBACKS = ("sample_count", "pictures")  # settings of that section that are no switches


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
        # uncompiled: kernels are kept on the disk, and a plan writes nothing
        tried = rehearse(replace(start, compute=replace(start.compute, compile="off")), network, feed)
    steps = plan_steps(start.settings.optim, len(feed.train_loader))
    return PlanResult(
        run=start.run.root.as_posix(),
        data=planned_data(start, feed),
        model=PlannedModel(info.arch, info.parameters, info.multiply_adds, start.preprocess, origin),
        training=planned_training(start, feed, steps),
        compute=PlannedCompute(
            start.compute.device,
            start.compute.precision,
            start.compute.threads,
            start.compute.workers,
            start.compute.compile,
        ),
        tried=tried,
        costs=costs(start, feed, tried, sizes_mb(network)),
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


def costs(start: Start, feed: Feed, tried: Tried, sizes: tuple[float, float]) -> Costs:
    """`sizes` are MB of the network's state and of its parameters."""
    settings = start.settings
    epochs, free = settings.optim.epochs, free_mb(start.run.root) or 0.0
    seconds = len(feed.train_loader) * tried.batch_seconds
    if feed.val is not None and math.isfinite(tried.val_seconds):
        seconds += len(feed.val.paths) / tried.val_images * tried.val_seconds
    space = space_needed(start, *sizes)
    return Costs(
        epoch_seconds=seconds,
        seconds=seconds * epochs,
        images_mb=(feed.train_loader.held + (0 if feed.val_loader is None else feed.val_loader.held)) / 1e6,
        checkpoints_mb=space.checkpoints_mb + space.steps_mb,
        export_mb=space.export_mb,
        reports_mb=space.reports_mb,
        free_mb=free,
    )
