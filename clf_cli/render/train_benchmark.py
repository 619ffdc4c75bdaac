"""How fast this machine trains: rates, where the time of an epoch goes, what would be faster."""

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.render.csv import Cell
from clf_cli.render.text import counted, duration, percent
from clf_cli.training.train_benchmark import TrainBenchmarkResult

HEADER = ("kind", "name", "value")


def table(result: TrainBenchmarkResult) -> RenderableType:
    """What was trained, the rates against the limit, the parts of an epoch, and changes worth trying."""
    told = (Text(line) for line in _advice(result))
    return Group(Text(_trained(result)), _rates(result), Text(_epoch(result)), _parts(result), *told)


def rows(result: TrainBenchmarkResult) -> Iterator[tuple[Cell, ...]]:
    """A row per number, as HEADER names the columns."""
    for name, rate, _ in _named_rates(result):
        yield "images_per_second", name, rate
    for part, seconds in result.parts.items():
        yield "seconds_of_an_epoch", part, seconds
    for change in result.changes:
        yield "times_as_fast", change.flag, change.gain


def _trained(result: TrainBenchmarkResult) -> str:
    one = result.trained
    return (
        f"{one.arch}, {one.width} × {one.height} px, batch {one.batch_size}, {one.precision}"
        f"{', channels-last' if one.channels_last else ''}, augmentation {one.augment}; {one.device}, "
        f"{counted(one.threads, 'thread')}, {counted(one.workers, 'worker')}, {counted(one.cores, 'core')}"
    )


def _named_rates(result: TrainBenchmarkResult) -> Iterator[tuple[str, float, bool]]:
    """Name, images per second, and whether it is of training."""
    rates = result.rates
    yield "bare steps on tensors in memory: the limit", rates.limit, True
    yield "training steps, images from memory" if result.keeps else "training steps", rates.steps, True
    if result.keeps:
        yield "training steps of the first epoch, which decodes", rates.steps_first, True
    yield "whole epochs, with validation and callbacks", rates.epoch, True
    if result.keeps:
        yield "images alone, from memory", rates.data, False
    yield "images alone, decoded", rates.data_first, False


def _rates(result: TrainBenchmarkResult) -> Table:
    grid = Table(title="Images per second", title_justify="left")
    grid.add_column("")
    for name in ("images/s", "of the limit"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name, rate, trains in _named_rates(result):
        grid.add_row(name, _rate(rate), f"{rate / result.rates.limit:.2f}" if trains else "")
    return grid


def _epoch(result: TrainBenchmarkResult) -> str:
    one = result.trained
    val = f", and of {one.val_images:,} to validate" if one.val_images else ""
    about = _seconds(result.epoch_seconds)
    return f"An epoch of {counted(one.images, 'image')}{val}: about {about}, by {counted(result.steps, 'step')} of it"


def _parts(result: TrainBenchmarkResult) -> Table:
    grid = Table()
    grid.add_column("where the time goes")
    for name in ("time", "share"):
        grid.add_column(name, justify="right", no_wrap=True)
    for part, seconds in result.parts.items():
        grid.add_row(part, _seconds(seconds), percent(seconds / result.epoch_seconds))
    return grid


def _advice(result: TrainBenchmarkResult) -> Iterator[str]:
    for change in result.changes:
        if change.pays:
            gain = f"bare steps are {change.gain:.1f} times as fast; " if math.isfinite(change.gain) else ""
            yield f"Try {change.flag}: {gain}{change.reason}."
    others = [f"{change.flag} is {change.gain:.2f} times as fast" for change in result.changes if not change.pays]
    if others:
        yield f"No gain: {', '.join(others)}."


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def _seconds(seconds: float) -> str:
    """`0.35 s`, `8.9 s`, `106 s`: of one epoch, so that the parts add up."""
    digits = 2 if seconds < 1 else 1 if seconds < 9.95 else 0
    return f"{seconds:,.{digits}f} s" if seconds < 600 else duration(seconds)
