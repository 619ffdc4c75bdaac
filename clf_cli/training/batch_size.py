"""`--batch-size auto`, and what fits where memory ran out."""

from dataclasses import replace

from clf_cli.data.warp import opencv
from clf_cli.errors import RunError
from clf_cli.settings.resolved import Resolved
from clf_cli.training.fitting import Prober, largest_below, largest_of
from clf_cli.training.probe import Probe
from clf_cli.training.room import MARGIN, memory_left
from clf_cli.training.start import Start
from clf_cli.values.progress import Progress

AUTO_SECONDS = 300.0  # that finding a batch size may take before a run
TOLD_SECONDS = 120.0  # that it may take after a failure


def with_batch_size(start: Start, resolved: Resolved, progress: Progress) -> Start:
    """The same start, with a number in the place of `auto`: the largest part of the effective batch that fits into
    memory, and as many accumulated batches as make up the rest. Raises RunError (exit 6) where none fits."""
    optim = start.settings.optim
    if optim.batch_size != "auto":
        return start
    opencv()  # what it maps is taken from the room before that is measured
    effective, images = optim.images_per_batch, len(start.dataset.split("train"))
    with progress("Finding the batch size", None), Prober(probe_of(start), AUTO_SECONDS) as prober:
        size = largest_of(parts_of(effective), lambda size: prober.fits(min(size, images)))
    if size is None:
        raise RunError(
            f"--batch-size auto found no batch that fits into the memory of {start.compute.device}.",
            "Lower --image-size, take a smaller --arch, or say a --batch-size to try it all the same.",
        )
    accumulate = effective // size
    settings = start.settings.model_copy(
        update={"optim": optim.model_copy(update={"batch_size": size, "accumulate": accumulate})}
    )
    named = dict.fromkeys(("optim.batch_size", "optim.accumulate"), "--batch-size auto")
    note = f"--batch-size auto: {size} images fit, so a step is {accumulate} × {size} = {effective} images."
    return replace(
        start,
        settings=settings,
        settings_toml=Resolved(settings, {**resolved.origin, **named}).to_toml(),
        notes=(*start.notes, note),
    )


def what_fits(start: Start, size: int) -> str:
    """A sentence on the batch sizes that fit, after one of `size` images did not."""
    with Prober(probe_of(start), TOLD_SECONDS) as prober:
        fitting = largest_below(size, prober.fits)
        if fitting is not None and 8 * fitting >= 7 * size and prober.fits(size):
            return "Such a step fits by itself: what the run keeps beside it, or another program, takes the rest."
    return told_fitting(fitting, prober.began)


def told_fitting(fitting: int | None, began: bool) -> str:
    """Of the largest size that was found to fit; nothing where none was, and `began` says that some were tried."""
    if fitting is None:
        return "" if began else "What fits was not found: the process that tries it had no room or no time to begin."
    return f"The largest that fits is {fitting}."


def parts_of(effective: int) -> tuple[int, ...]:
    """Sizes of which several make up the effective batch exactly, ascending; no single image, from which batch
    normalisation cannot learn."""
    return tuple(size for size in range(min(2, effective), effective + 1) if effective % size == 0)


def probe_of(start: Start) -> Probe:
    """What to try, and the memory for it."""
    from clf_cli.training.feed import build_feed  # torch

    feed = build_feed(start)
    held = feed.train_loader.held + (0 if feed.val_loader is None else feed.val_loader.held)
    return replace(Probe.of(start), room=memory_left(), taken=held + MARGIN, validates=feed.val is not None)
