"""`clf benchmark --train`: bare steps, the loader alone, and a short run with everything that a run does, timed."""

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from clf_cli.data.dataset import Dataset
from clf_cli.engine.metrics import TOP
from clf_cli.models.build import build_network
from clf_cli.models.compute import apply, available_cores, physical_cores
from clf_cli.training.bare_steps import BareSteps, Way, in_turns
from clf_cli.training.callbacks.metrics import MetricsCallback
from clf_cli.training.callbacks.skipped import SkippedSteps
from clf_cli.training.callbacks.timing import TimingCallback
from clf_cli.training.ema import Ema
from clf_cli.training.feed import Feed, build_feed
from clf_cli.training.finite import StepGuard
from clf_cli.training.fit import concerns, scoreboard, starting_network, step_callbacks, step_settings, warning_signs
from clf_cli.training.keeping import keeper, publication_of
from clf_cli.training.laps import Epochs, Laps, TimedCalls
from clf_cli.training.lightning_door import L
from clf_cli.training.memory import told_memory
from clf_cli.training.module import ClassifierModule
from clf_cli.training.pictures import Pictures
from clf_cli.training.session import quiet_libraries
from clf_cli.training.shared_memory import with_shared_memory
from clf_cli.training.start import Start, smaller_size
from clf_cli.training.train_benchmark import Change, Measured, TrainBenchmarkResult, Trained, summed_up
from clf_cli.training.trainer import build_trainer
from clf_cli.training.watcher import unwatched
from clf_cli.values.predictions import EVAL_BATCH
from clf_cli.values.progress import Progress

STEPS = (3, 100)  # of a timed epoch: as many as fit into the time, but no fewer and no more
VAL_BATCHES = 2


@dataclass(frozen=True)
class Tried:
    """Bare steps of a way and how to ask for it; the first is the run's own."""

    flag: str
    reason: str
    steps: BareSteps


def timed_training(start: Start, seconds: float, progress: Progress) -> TrainBenchmarkResult:
    """Times each way of bare steps and each epoch for at least so many seconds. `start.run` is a folder to throw away.

    Raises what a run raises: RunError (exit 6) when memory runs out or the loss is not finite.
    """
    found: list[TrainBenchmarkResult] = []
    with quiet_libraries(None):
        apply(start.compute)
        network, _ = starting_network(start)
        start = with_shared_memory(start)
        told_memory(
            lambda: found.append(_timed(start, network, seconds, progress)),
            start.compute.device,
            start.settings.optim.images_per_batch,
            lambda size: "",
        )
    return found[0]


def _timed(start: Start, network: nn.Module, seconds: float, progress: Progress) -> TrainBenchmarkResult:
    whole = build_feed(start)
    with progress("Bare steps", None):
        tried = tuple(_ways(start, network))
        in_turns([one.steps for one in tried], seconds)
    apply(start.compute)
    own = tried[0].steps
    batches = min(len(whole.train_loader), max(STEPS[0], min(STEPS[1], math.ceil(seconds / own.median))))
    part = replace(start, dataset=_first_of(start, batches))
    with progress("Images", None):
        data_first, data = _data_rates(build_feed(part))
    with progress("Training", None):
        laps, feed = _short_run(part, network)
    measured = Measured(
        batch_seconds=own.median,
        data_first=data_first,
        data=data,
        parts=laps.epochs[-1],
        waits=laps.epochs[0]["data wait"],
        batches=len(feed.train_loader),
        val_images=0 if feed.val is None else len(feed.val.paths),
        core_share=sum(own.cpu) / sum(own.seconds),
    )
    changes = tuple(Change(one.flag, own.median / one.steps.median, one.reason) for one in tried[1:])
    return summed_up(_trained(start, whole), measured, changes, len(whole.train_loader), whole.train_loader.kept[1])


def _trained(start: Start, feed: Feed) -> Trained:
    compute, p = start.compute, start.preprocess
    return Trained(
        arch=start.settings.model.arch,
        width=p.width,
        height=p.height,
        batch_size=start.settings.optim.images_per_batch,
        device=compute.device,
        precision=compute.precision,
        channels_last=compute.channels_last,
        threads=compute.threads,
        workers=compute.workers,
        cores=available_cores(),
        augment=start.settings.augment.preset,
        images=feed.images,
        val_images=0 if feed.val is None else len(feed.val.paths),
        cache=feed.train_loader.kept[0],
    )


def _ways(start: Start, network: nn.Module) -> Iterator[Tried]:
    """The run's own way of computing steps, then those that could be faster."""
    compute, p, settings = start.compute, start.preprocess, start.settings
    classes, batch = len(start.dataset.labels), settings.optim.images_per_batch
    own = Way(compute.device, compute.precision, compute.threads, compute.channels_last)

    def tried(flag: str, reason: str, way: Way, side: int | None = None) -> Tried:
        size = (p.height, p.width) if side is None else (side, side)
        copy = (
            deepcopy(network)
            if side is None
            else build_network(settings.model.arch, classes, settings.model.drop_rate, image_size=size)
        )
        return Tried(flag, reason, BareSteps(copy, (batch, *size), classes, settings.optim, way))

    yield tried("", "", own)
    for precision in _other_precisions(start):
        yield tried(f"--precision {precision}", f"instead of {own.precision}", replace(own, precision=precision))
    if not own.channels_last:
        yield tried("--channels-last", "the memory layout of the weights", replace(own, channels_last=True))
    cores = physical_cores(available_cores()) - compute.workers
    if compute.device == "cpu" and cores > own.threads:
        yield tried(f"--threads {cores}", f"instead of {own.threads}", replace(own, threads=cores))
    median, smaller = smaller_size(start.dataset)
    if smaller < max(p.height, p.width):
        reason = f"the median image is {median} px on its long side; look at the accuracy too"
        yield tried(f"--image-size {smaller}", reason, own, smaller)


def _other_precisions(start: Start) -> tuple[str, ...]:
    """Those that the device may have and that are not tried yet; a run that repeats bit for bit keeps fp32."""
    device = start.compute.device
    if start.compute.deterministic or device == "mps":
        return ()
    if device.startswith("cuda"):
        names = ("fp32", "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16")
    else:
        names = ("fp32", "bf16")
    return tuple(name for name in names if name != start.compute.precision)


def _first_of(start: Start, batches: int) -> Dataset:
    """As many train images as make up so many batches, evenly from all classes, and a few val images."""
    dataset, size = start.dataset, start.settings.optim.images_per_batch
    counts = {"train": batches * size, "val": max(VAL_BATCHES * EVAL_BATCH, TOP)}
    samples = []
    for split, count in counts.items():
        rows = dataset.split(split)
        every = max(1.0, len(rows) / count)
        samples += [rows[int(number * every)] for number in range(min(count, len(rows)))]
    return replace(dataset, samples=tuple(samples))


def _data_rates(feed: Feed) -> tuple[float, float]:
    """Images per second of the train loader alone: decoded from files, then as a later epoch reads them."""

    def rate() -> float:
        start = time.perf_counter()
        count = sum(len(batch[1]) for batch in feed.train_loader)
        if feed.train_loader.kept[0] == "gpu":  # what was launched there is not done yet
            torch.cuda.synchronize()
        return count / (time.perf_counter() - start)

    first = rate()
    return first, max(rate(), rate())


def _short_run(start: Start, network: nn.Module) -> tuple[Laps, Feed]:
    """A run of two epochs, or of three on a GPU: with a queue that is emptied at every mark nothing overlaps there."""
    epochs = 3 if start.compute.device.startswith("cuda") else 2
    optim = start.settings.optim.model_copy(update={"epochs": epochs})
    start = replace(start, settings=start.settings.model_copy(update={"optim": optim}))
    start.run.checkpoints.mkdir(parents=True)
    feed, laps = build_feed(start), Laps()
    trainer = build_trainer(start, _callbacks(start, feed, [Epochs(laps, epochs - 1)]))
    trainer.profiler = laps  # type: ignore[attr-defined]  # set by Lightning's own constructor the same way
    module = ClassifierModule(network, step_settings(start, feed), feed.train_paths)
    module.guard = cast(StepGuard, TimedCalls(module.guard, laps, "guard"))
    trainer.fit(module, feed.train_loader, feed.val_loader, weights_only=True)
    return laps, feed


def _callbacks(start: Start, feed: Feed, first: list[L.Callback]) -> list[L.Callback]:
    """What a run has beside bars, trackers and early stopping."""

    def nobody(text: str) -> None:
        pass

    pictures = Pictures(start.settings.callbacks.pictures, nobody)
    scores, publication = scoreboard(start, feed), publication_of(start)
    callbacks = [
        *first,
        TimingCallback(start.run),
        *step_callbacks(start),
        scores,
        SkippedSteps(nobody),
        warning_signs(start, scores, unwatched()),
        MetricsCallback(scores, publication),
        *concerns(start, feed, scores, publication, pictures),
    ]
    if start.settings.callbacks.checkpoints:
        callbacks.append(keeper(start, scores, [one for one in callbacks if isinstance(one, Ema)]))
    return callbacks
