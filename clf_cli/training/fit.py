"""The training loop: network, loaders, callbacks and Lightning's trainer put together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn

from clf_cli.engine.history import lower_is_better
from clf_cli.errors import RunError
from clf_cli.models.build import build_network, init_from, initial_network
from clf_cli.models.checkpoint import CheckpointFacts, clf_payload, read_checkpoint
from clf_cli.settings.resolved import ONE_START
from clf_cli.settings.root import Settings
from clf_cli.training.callbacks.checkpoints import Checkpoints
from clf_cli.training.callbacks.confusion import ConfusionCallback
from clf_cli.training.callbacks.freeze import FreezeBody
from clf_cli.training.callbacks.history import HistoryCallback
from clf_cli.training.callbacks.metrics import MetricsCallback
from clf_cli.training.callbacks.progress import ProgressCallback
from clf_cli.training.callbacks.sampler import SamplerCallback
from clf_cli.training.callbacks.samples import SamplesCallback
from clf_cli.training.callbacks.step_seed import StepSeed
from clf_cli.training.callbacks.stop import StopCallback
from clf_cli.training.callbacks.timing import TimingCallback
from clf_cli.training.callbacks.tracking import TrackingCallback
from clf_cli.training.checkpoint_io import AtomicCheckpointIO
from clf_cli.training.ema import Ema
from clf_cli.training.feed import Feed
from clf_cli.training.module import ClassifierModule, StepSettings
from clf_cli.training.pictures import Pictures
from clf_cli.training.publication import Publication
from clf_cli.training.schedule import StepPlan, lr_factor, plan_steps
from clf_cli.training.scores import Row, Scoreboard
from clf_cli.training.start import Start
from clf_cli.training.trackers.group import Trackers
from clf_cli.training.watcher import Watcher
from clf_cli.values.contract import Score
from clf_cli.values.report import ModelRef, Weights

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class Fitted:
    """What is known when the last epoch is over."""

    scores: Scoreboard
    publication: Publication
    pictures: Pictures
    timing: TimingCallback
    trackers: Trackers
    stopped_early: bool


@dataclass(frozen=True)
class Limits:
    """How little of a run a rehearsal does: batches of train and val per epoch, and epochs."""

    train_batches: int
    val_batches: int
    epochs: int


def starting_network(start: Start) -> tuple[nn.Module, str]:
    """The network before the first step, and what it starts from. A resumed run's weights come with its checkpoint."""
    section, labels = start.settings.model, start.dataset.labels
    size = (start.preprocess.height, start.preprocess.width)
    L.seed_everything(start.settings.compute.seed, workers=False, verbose=False)
    if start.checkpoint is not None:
        return build_network(section.arch, len(labels), section.drop_rate, image_size=size), ""
    if start.settings.train.init_from is None:
        return initial_network(section, len(labels), size)
    network = build_network(section.arch, len(labels), section.drop_rate, image_size=size)
    return network, init_from(network, read_checkpoint(start.settings.train.init_from), labels)


def fit(start: Start, network: nn.Module, feed: Feed, watcher: Watcher, trackers: Trackers) -> Fitted:
    """Trains to the end of the last epoch.

    Raises RunError (exit 6) for a loss that is not finite, out of memory and files that cannot be written,
    InterruptedRunError (130) and TerminatedRunError (143) after saving a resumable checkpoint.
    """
    settings = start.settings
    publication = publication_of(start)
    pictures = Pictures(settings.callbacks.pictures, watcher.say)
    scores = scoreboard(start, feed)
    timing = TimingCallback(start.run)
    callbacks = [
        timing,
        *step_callbacks(start),
        scores,
        MetricsCallback(scores, publication),
        *concerns(start, feed, scores, publication, pictures),
        *([TrackingCallback(scores, trackers, start.run)] if trackers.ids else []),
        *early_stopping(start),
        *([ProgressCallback(watcher, scores, timing, settings.optim.epochs)] if settings.callbacks.progress else []),
        StopCallback(start.run, settings.optim.accumulate, watcher.say, saves=settings.callbacks.checkpoints),
    ]
    if settings.callbacks.checkpoints:
        callbacks.append(keeper(start, scores, [c for c in callbacks if isinstance(c, Ema)]))
    trainer = build_trainer(start, callbacks)
    run_trainer(trainer, start, network, feed)
    stopped_early = trainer.current_epoch < settings.optim.epochs
    return Fitted(scores, publication, pictures, timing, trackers, stopped_early)


def scoreboard(start: Start, feed: Feed) -> Scoreboard:
    """The callback that scores each epoch, with the learning rate of every step where it is recorded."""
    optim = start.settings.optim
    plan = plan_steps(optim, len(feed.train_loader))
    rates = tuple(optim.lr * lr_factor(step, plan) for step in range(plan.total))
    recorded = rates if start.settings.callbacks.lr_log else None
    return Scoreboard(feed.val, start.settings.train.monitor, recorded, feed.images)


def step_callbacks(start: Start) -> list[L.Callback]:
    """Those that take part in every step: averaging, seeds, frozen layers."""
    frozen = start.settings.optim.freeze_epochs
    freezing = [FreezeBody(frozen)] if frozen else []
    return [*averaging(start), StepSeed(start.settings.compute.seed), *freezing]


def run_trainer(trainer: L.Trainer, start: Start, network: nn.Module, feed: Feed) -> None:
    """Trains the network as far as the trainer goes. Raises RunError (exit 6)."""
    plan = plan_steps(start.settings.optim, len(feed.train_loader))
    module = ClassifierModule(network, step_settings(start, plan, feed), feed.train_paths)
    told_memory(
        lambda: trainer.fit(
            module,
            feed.train_loader,
            feed.val_loader,
            ckpt_path=start.checkpoint,
            weights_only=None if start.checkpoint is None else True,
        ),
        start.compute.device,
        start.settings.optim.batch_size,
    )


def step_settings(start: Start, plan: StepPlan, feed: Feed) -> StepSettings:
    """What the training step reads besides the network."""
    device = start.compute.device.partition(":")[0]
    return StepSettings(
        optim=start.settings.optim,
        augment=start.settings.augment,
        preprocess=start.preprocess,
        plan=plan,
        classes=len(start.dataset.labels),
        channels_last=start.settings.compute.channels_last,
        fused_optimizer=device in ("cpu", "cuda") and start.compute.precision != "fp16",
        class_weights=feed.class_weights,
    )


def publication_of(start: Start) -> Publication:
    """How the run's reports name their model and data; a run that is never validated has no best checkpoint."""
    weights = scored_weights(start)
    validates = start.settings.train.val and bool(start.dataset.split("val"))
    file = start.run.best if validates else start.run.last
    model = ModelRef(start.run.relative(file), start.settings.model.arch, weights, start.record.run_id)
    return Publication(start.run, model, start.dataset.root.as_posix(), start.record.data_fingerprint, validates)


def scored_weights(start: Start) -> Weights:
    """The weights that validate: the moving average, where it is on."""
    return "ema" if start.settings.ema.enabled else "live"


def averaging(start: Start) -> list[L.Callback]:
    return [Ema(start.settings.ema)] if start.settings.ema.enabled else []


def early_stopping(start: Start) -> list[EarlyStopping]:
    """Lightning's own; nothing stops a run that is not validated."""
    section = start.settings.train
    if not (start.settings.callbacks.early_stopping and section.val):
        return []
    mode = "min" if lower_is_better(section.monitor) else "max"
    return [EarlyStopping(section.monitor, section.min_delta, section.patience, mode=mode, check_finite=False)]


def concerns(
    start: Start, feed: Feed, scores: Scoreboard, publication: Publication, pictures: Pictures
) -> list[L.Callback]:
    """The callbacks that look at the scores of an epoch, as far as they are switched on."""
    switches = start.settings.callbacks
    chosen: list[L.Callback] = []
    if switches.confusion:
        chosen.append(ConfusionCallback(scores, publication, pictures))
    if switches.samples:
        chosen.append(SamplesCallback(scores, publication, pictures, feed.thumbnails, switches.sample_count))
    if switches.sampler_stats:
        chosen.append(SamplerCallback(feed.drawn, publication))
    if switches.history:
        chosen.append(HistoryCallback(scores, publication, pictures, start.settings.train.monitor))
    return chosen


def keeper(start: Start, scores: Scoreboard, averages: list[Ema]) -> Checkpoints:
    """The callback that writes checkpoints, with the facts that travel in them."""
    section = start.settings.train

    def payload(epoch: int, row: Row | None) -> dict[str, Any]:
        return clf_payload(
            CheckpointFacts(
                arch=start.settings.model.arch,
                labels=start.dataset.labels,
                preprocess=start.preprocess,
                settings=stored_settings(start.settings),
                score=score_of(row, section.monitor, scored_weights(start)),
                scored_weights=scored_weights(start),
                epoch=epoch,
                run_id=start.record.run_id,
                data_fingerprint=start.record.data_fingerprint,
            )
        )

    keeper = Checkpoints(
        start.run, scores, payload, section.monitor, section.checkpoint_every, start.settings.optim.accumulate
    )
    return keeper.scored_by(*averages)


def stored_settings(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, without those that only say where a run began."""
    plain = settings.model_dump(mode="json")
    for path in ONE_START:
        section, _, key = path.partition(".")
        plain[section][key] = None
    return plain


def score_of(row: Row | None, monitor: str, weights: Weights) -> Score | None:
    """What the weights scored, or None where they were not validated."""
    if row is None or np.isnan(row["val/loss"]):
        return None
    return Score(monitor, "val", row[monitor], weights)


def build_trainer(start: Start, callbacks: list[L.Callback], limits: Limits | None = None) -> L.Trainer:
    """Lightning's trainer: one device, no sanity check, our own checkpoints, samplers, trackers and bar."""
    section = start.settings.compute
    kind, _, index = start.compute.device.partition(":")
    optim = start.settings.optim
    return L.Trainer(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=[int(index)] if index else 1,
        precision=PRECISIONS[start.compute.precision],  # type: ignore[arg-type]  # a Literal of every spelling
        max_epochs=optim.epochs if limits is None else limits.epochs,
        limit_train_batches=None if limits is None else limits.train_batches,
        limit_val_batches=None if limits is None else limits.val_batches,
        accumulate_grad_batches=optim.accumulate,
        gradient_clip_val=optim.clip_grad or None,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(start.run)],
        logger=False,
        enable_checkpointing=start.settings.callbacks.checkpoints and limits is None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        use_distributed_sampler=False,
        deterministic=section.deterministic,
        benchmark=kind == "cuda" and not section.deterministic,
        default_root_dir=start.run.root,
    )


def told_memory(train: Callable[[], object], device: str, batch_size: int) -> None:
    """Runs `train`; running out of memory becomes a RunError (exit 6) that names the flag to lower, and so does a batch
    too small for batch normalisation."""
    message = f"Out of memory on {device} at batch size {batch_size}."
    hint = "Lower --batch-size (--accumulate keeps the effective one), --image-size or --workers."
    try:
        train()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(message, hint) from error
    except RuntimeError as error:  # what torch's CPU allocator raises
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise RunError(message, hint) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise RunError(
            f"This network's batch normalisation cannot learn from {batch_size} image at a time.",
            "Raise --batch-size or --image-size.",
        ) from error
