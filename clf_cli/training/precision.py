"""`--precision auto`: what trains faster on this machine, found by timing steps of the run's own network."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from clf_cli.models.compute import Precision, apply, has_bf16_products
from clf_cli.render.text import counted
from clf_cli.settings.resolved import Resolved, sources
from clf_cli.training.start import Start

WORTH = 1.15  # times as fast: what bf16 must be to be taken, for the time of a step is known to a tenth
SECONDS = 1.5  # of a core that the choice should take
FIRST = 0.6  # of them: a first pair of steps that takes more is the only one
CLEAR = (0.7, 1.3)  # beyond these the first timed pair says enough: others of it were within 15 % (resnet18, lite0)
FEWEST = 2  # images: batch normalisation cannot learn from one

PRECISIONS: tuple[Precision, ...] = ("bf16", "fp32")  # in this order: what a first step costs more is not bf16's gain

Pair = dict[Precision, float]  # seconds of a step in each


def with_precision(start: Start, resolved: Resolved) -> Start:
    """The same start with a precision in the place of `auto`: what `resolve_compute` says, but bf16 on a CPU that
    trains this network faster so. With `--deterministic`, or without instructions for bf16, nothing is timed."""
    section = start.settings.compute
    if section.precision != "auto":
        return start
    precision, notes = start.compute.precision, start.notes
    if start.compute.device == "cpu" and not section.deterministic and has_bf16_products():
        times, images = speed_of_bf16(start)
        precision = "bf16" if times >= WORTH else "fp32"
        told = f"{times:.2g} times as fast as fp32" if times >= WORTH else f"bf16 is {times:.2g} times as fast"
        notes = (*notes, f"--precision auto: {precision}, {told} here (in steps of {counted(images, 'image')}).")
    settings = start.settings.model_copy(update={"compute": section.model_copy(update={"precision": precision})})
    return replace(
        start,
        record=replace(start.record, precision=precision),
        settings=settings,
        settings_toml=Resolved(settings, sources(resolved)).to_toml(),
        compute=replace(start.compute, precision=precision),
        notes=notes,
    )


def speed_of_bf16(start: Start) -> tuple[float, int]:
    """How many times as fast as fp32 a training step in bf16 is, and of how many images it was. Larger steps are
    further from 1, for the optimiser takes its time in both. torch's generator is as before afterwards."""
    import torch  # seconds, which a run with a precision of its own spends later

    from clf_cli.training.probe import Probe, Steps

    apply(start.compute)
    with torch.random.fork_rng(devices=[]):
        steps = Steps(Probe.of(start))
        steps.optimizer.zero_grad()  # imports what torch has put off

        def pair(images: int) -> Pair:
            return {precision: _seconds(partial(steps.train, images, precision)) for precision in PRECISIONS}

        return ratio_of(pair, start.settings.optim.images_per_batch)


def ratio_of(pair: Callable[[int], Pair], batch: int, budget: float = SECONDS) -> tuple[float, int]:
    """Seconds of a step in fp32 over those in bf16, and its images; `pair` takes and times one of each.

    The first of a size prepares its kernels and does not count, unless it takes long. If the second is clear and no
    small part of the budget, it is the last; else the others are of as many images as there is time for, at most a
    batch, and of two such pairs the faster steps count.
    """
    first = pair(FEWEST)
    if sum(first.values()) > FIRST * budget:
        return first["fp32"] / first["bf16"], FEWEST
    timed = [pair(FEWEST)]
    cost = sum(timed[0].values())
    if cost > 0.1 * budget and not CLEAR[0] < timed[0]["fp32"] / timed[0]["bf16"] < CLEAR[1]:
        return timed[0]["fp32"] / timed[0]["bf16"], FEWEST
    left = budget - sum(first.values()) - cost
    images = max(FEWEST, min(batch, FEWEST * int(left / (4 * cost))))
    if images > FEWEST:
        pair(images)
        timed = [pair(images), pair(images)]
    elif left > cost:
        timed.append(pair(FEWEST))
    return min(one["fp32"] for one in timed) / min(one["bf16"] for one in timed), images


def _seconds(step: Callable[[], None]) -> float:
    """Of this thread: on a busy machine the clock says little, and of several math threads it does as much as each."""
    began = time.thread_time()
    step()
    return time.thread_time() - began
