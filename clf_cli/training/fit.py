"""The training loop: network, loaders, callbacks and Lightning's trainer put together."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from clf_cli.engine.history import lower_is_better
from clf_cli.models.build import build_network, init_from, initial_network
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.malloc import give_back_freed_memory
from clf_cli.settings.sections import OptimSection
from clf_cli.training.batch_size import what_fits
from clf_cli.training.callbacks.confusion import ConfusionCallback
from clf_cli.training.callbacks.early_stopping import PatientStopping
from clf_cli.training.callbacks.fallback import Fallback
from clf_cli.training.callbacks.freeze import FreezeBody
from clf_cli.training.callbacks.history import HistoryCallback
from clf_cli.training.callbacks.metrics import MetricsCallback
from clf_cli.training.callbacks.progress import ProgressCallback
from clf_cli.training.callbacks.sampler import SamplerCallback
from clf_cli.training.callbacks.samples import SamplesCallback
from clf_cli.training.callbacks.signs import WarningSigns
from clf_cli.training.callbacks.skipped import SkippedSteps
from clf_cli.training.callbacks.step_seed import StepSeed
from clf_cli.training.callbacks.stop import StopCallback
from clf_cli.training.callbacks.timing import TimingCallback
from clf_cli.training.callbacks.tracking import TrackingCallback
from clf_cli.training.ema import Ema
from clf_cli.training.feed import Feed
from clf_cli.training.finite import require_finite_start
from clf_cli.training.keeping import keeper, publication_of
from clf_cli.training.lightning_door import L
from clf_cli.training.memory import told_memory
from clf_cli.training.module import ClassifierModule, StepSettings
from clf_cli.training.pictures import Pictures, drawn_before
from clf_cli.training.publication import Publication
from clf_cli.training.restored import told_checkpoint
from clf_cli.training.schedule import Schedule, schedule_of
from clf_cli.training.scores import Scoreboard
from clf_cli.training.start import Start
from clf_cli.training.trackers.group import Trackers
from clf_cli.training.trainer import build_trainer
from clf_cli.training.watcher import Watcher


@dataclass(frozen=True)
class Fitted:
    """What is known when the last epoch is over."""

    scores: Scoreboard
    publication: Publication
    pictures: Pictures
    timing: TimingCallback
    trackers: Trackers
    stopped_early: bool
    skipped_steps: int


def starting_network(start: Start) -> tuple[nn.Module, str]:
    """The network before the first step, and what it starts from. A resumed run's weights come with its checkpoint."""
    section, labels = start.settings.model, start.dataset.labels
    size = (start.preprocess.height, start.preprocess.width)
    L.seed_everything(start.settings.compute.seed, workers=False, verbose=False)
    if start.checkpoint is not None:
        return build_network(section.arch, len(labels), section.drop_rate, image_size=size), ""
    first = start.settings.train.init_from
    if first is None:
        network, origin = initial_network(section, len(labels), size)
    else:
        network = build_network(section.arch, len(labels), section.drop_rate, image_size=size)
        origin = init_from(network, read_checkpoint(first), labels)
    require_finite_start(network, str(first or section.weights or section.arch))
    return network, origin


def fit(start: Start, network: nn.Module, feed: Feed, watcher: Watcher, trackers: Trackers) -> Fitted:
    """Trains to the end of the last epoch.

    Raises RunError (exit 6) for a loss that is not finite, out of memory and files that cannot be written,
    StoppedRunError (130, 143) after saving a resumable checkpoint.
    """
    settings = start.settings
    publication = publication_of(start)
    pictures = Pictures(settings.callbacks.pictures, watcher.say, there=drawn_before(start.run.epochs))
    scores = scoreboard(start, feed)
    timing = TimingCallback(start.run)
    skipped = SkippedSteps(watcher.warn)
    callbacks = [
        timing,
        *step_callbacks(start),
        scores,
        skipped,
        Fallback(watcher.warn),
        warning_signs(start, scores, watcher),
        MetricsCallback(scores, publication),
        *concerns(start, feed, scores, publication, pictures),
        *([TrackingCallback(scores, trackers, start.run)] if trackers.ids else []),
        *early_stopping(start),
        *([ProgressCallback(watcher, scores, timing, settings.optim.epochs)] if settings.callbacks.progress else []),
    ]
    kept = None
    if settings.callbacks.checkpoints:
        kept = keeper(start, scores, [c for c in callbacks if isinstance(c, Ema)])
    callbacks += [
        StopCallback(start.run, settings.optim.accumulate, watcher.say, keeper=kept),
        *([kept] if kept else []),
    ]
    trainer = build_trainer(start, callbacks)
    if start.compute.compile == "on":
        watcher.say("Compiling the network for training steps: the first one takes seconds to minutes longer.")
    run_trainer(trainer, start, network, feed)
    stopped_early = trainer.current_epoch < settings.optim.epochs
    free(trainer, network)
    return Fitted(scores, publication, pictures, timing, trackers, stopped_early, skipped.skipped)


def free(trainer: L.Trainer, network: nn.Module) -> None:
    """Lets go of both sets of weights, their gradients and the optimiser's state, five times the network's size: the
    rest of a run reads its checkpoints."""
    for optimizer in trainer.optimizers:
        optimizer.state.clear()
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning's own attribute
        if isinstance(callback, Ema):
            callback.average.to("meta")
    network.to("meta")
    give_back_freed_memory()


def warning_signs(start: Start, scores: Scoreboard, watcher: Watcher) -> WarningSigns:
    counts = Counter(sample.label for sample in start.dataset.split("train"))
    largest = max(counts.values()) / counts.total()
    return WarningSigns(scores, watcher.warn, largest, resumed=start.checkpoint is not None)


def scoreboard(start: Start, feed: Feed) -> Scoreboard:
    """The callback that scores each epoch, with the learning rate of every step where it is recorded."""
    schedule, peak = scheduled(start, feed), start.settings.optim.lr
    rate = (lambda step: peak * schedule.factor(step)) if start.settings.callbacks.lr_log else None
    return Scoreboard(feed.val, start.settings.train.monitor, rate, feed.images)


def scheduled(start: Start, feed: Feed) -> Schedule:
    """The learning rate of every step, those of an extension too."""
    planned = {int(first): epochs for first, epochs in start.record.planned.items()}
    return schedule_of(start.settings.optim, len(feed.train_loader), planned)


def step_callbacks(start: Start) -> list[L.Callback]:
    """Those that take part in every step: averaging, seeds, frozen layers."""
    frozen = start.settings.optim.freeze_epochs
    freezing = [FreezeBody(frozen)] if frozen else []
    return [*averaging(start), StepSeed(start.settings.compute.seed), *freezing]


def run_trainer(trainer: L.Trainer, start: Start, network: nn.Module, feed: Feed) -> None:
    """Trains the network as far as the trainer goes. Raises RunError (exit 6)."""
    module = ClassifierModule(network, step_settings(start, feed), feed.train_paths)

    def fit() -> None:
        trainer.fit(
            module,
            feed.train_loader,
            feed.val_loader,
            ckpt_path=start.checkpoint,
            weights_only=None if start.checkpoint is None else True,
        )

    told_memory(
        lambda: told_checkpoint(trainer, start.checkpoint, fit),
        start.compute.device,
        start.settings.optim.images_per_batch,
        lambda size: what_fits(start, size),
    )


def step_settings(start: Start, feed: Feed) -> StepSettings:
    """What the training step reads besides the network."""
    device = start.compute.device.partition(":")[0]
    compiled = start.compute.compile == "on"
    return StepSettings(
        optim=start.settings.optim,
        augment=start.settings.augment,
        preprocess=start.preprocess,
        schedule=scheduled(start, feed),
        classes=len(start.dataset.labels),
        channels_last=start.settings.compute.channels_last,
        fused_optimizer=device in ("cpu", "cuda") and start.compute.precision != "fp16",
        class_weights=feed.class_weights,
        on_nan=start.settings.train.on_nan,
        graphs=device == "cuda"
        and not compiled
        and not start.compute.deterministic
        and _steps_alone(start.settings.optim),
        compiled=min(start.settings.optim.images_per_batch, feed.images) if compiled else None,
    )


def _steps_alone(optim: OptimSection) -> bool:
    """Whether each batch is a step of its own, of the same parameters to the end."""
    return optim.accumulate == 1 and optim.freeze_epochs == 0


def averaging(start: Start) -> list[L.Callback]:
    return [Ema(start.settings.ema)] if start.settings.ema.enabled else []


def early_stopping(start: Start) -> list[PatientStopping]:
    """Nothing stops a run that is not validated."""
    section = start.settings.train
    if not (start.settings.callbacks.early_stopping and section.val):
        return []
    mode = "min" if lower_is_better(section.monitor) else "max"
    anew = start.step > 0 and str(start.step) in start.record.planned
    return [PatientStopping(section.monitor, section.min_delta, section.patience, mode, anew=anew)]


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
