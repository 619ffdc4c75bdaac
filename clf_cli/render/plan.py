"""A planned run, as a person reads it before starting it."""

import math
from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.render.text import counted, duration, scaled
from clf_cli.training.plan import PlannedTraining, PlanResult


def table(result: PlanResult) -> RenderableType:
    """What would be done, then what it would take."""
    grid = Table.grid(padding=(0, 2))
    for name, text in (*_plan(result), *_costs(result)):
        grid.add_row(Text(name), Text(text))
    notes = [Text(f"Warning: {finding['reason']}.", style="yellow") for finding in result.costs.findings]
    return Group(grid, *notes, Text("Nothing was written. The same command without --dry-run starts the run."))


def megabytes(value: float) -> str:
    """`54 MB`, `1.2 GB`."""
    return f"{value:,.0f} MB" if value < 1000 else f"{value / 1000:,.1f} GB"


def _near(path: str) -> str:
    """Relative to here, where it lies below."""
    here = Path.cwd().resolve()
    return Path(path).relative_to(here).as_posix() if Path(path).is_relative_to(here) else path


def _plan(result: PlanResult) -> Iterator[tuple[str, str]]:
    data, model, compute = result.data, result.model, result.compute
    p = model.preprocess
    splits = ", ".join(f"{split} {count:,}" for split, count in data.images.items())
    left_out = f"; {data.skipped:,} left out" if data.skipped else ""
    yield "Run folder", result.run
    yield "Data", f"{_near(data.path)}: {counted(data.classes, 'class')}; {splits}{left_out}"
    yield (
        "Network",
        f"{model.arch}: {scaled(model.parameters)} parameters, {scaled(model.multiply_adds)} multiply-adds",
    )
    yield "Starts from", model.start
    yield "Input", f"{p.width} × {p.height} px, {p.resize_mode}, {p.interpolation}"
    yield from _training(result.training)
    yield (
        "Runs on",
        f"{compute.device}, {compute.precision}, {counted(compute.threads, 'thread')}, "
        f"{counted(compute.workers, 'worker')}{', compiled (tried without)' if compute.compile == 'on' else ''}",
    )


def _training(plan: PlannedTraining) -> Iterator[tuple[str, str]]:
    accumulated = f" × {plan.accumulate} accumulated" if plan.accumulate > 1 else ""
    steps = plan.steps
    yield (
        "Optimiser",
        f"{plan.optimizer}, learning rate {plan.lr:g}, weight decay {plan.weight_decay:g}, "
        f"batch {plan.batch_size}{accumulated}",
    )
    yield (
        "Schedule",
        f"{plan.epochs:,} epochs × {counted(steps.per_epoch, 'step')} = {counted(steps.total, 'step')}, "
        f"warm-up {steps.warmup:,}, then a cosine to 0",
    )
    yield "Average", "none" if plan.ema_decay is None else f"of the weights, decay up to {plan.ema_decay:g}"
    if plan.monitor is None:
        yield "Validation", "none: the last weights are kept"
    else:
        stops = "" if plan.patience is None else f", stops after {counted(plan.patience, 'epoch')} without a better one"
        yield "Validation", f"every epoch, best by {plan.monitor}{stops}"
    yield "Callbacks", ", ".join(name.replace("_", "-") for name in plan.callbacks) or "none"
    yield "Trackers", ", ".join(plan.trackers)
    yield "Export", "none" if plan.opset is None else f"ONNX, opset {plan.opset}"


def _costs(result: PlanResult) -> Iterator[tuple[str, str]]:
    tried, costs = result.tried, result.costs
    first = "after the first step" if tried.warm else "of the first step, which is slower than the others"
    val = (
        f", {counted(tried.val_images, 'val image')} in {tried.val_seconds:.2f} s"
        if math.isfinite(tried.val_seconds)
        else ""
    )
    yield "Tried", f"{counted(tried.steps, 'step')}; {tried.batch_seconds:.2f} s per batch {first}{val}"
    yield (
        "Memory",
        f"{megabytes(tried.memory_mb)} of {tried.memory_of} at its peak; decoded images add at most "
        f"{megabytes(costs.images_mb)} of main memory",
    )
    yield (
        "Time",
        f"about {duration(costs.epoch_seconds)} per epoch, {duration(costs.seconds)} in all; an estimate from "
        f"{counted(tried.batches, 'batch')}, without test and export",
    )
    yield (
        "Disk",
        f"at most about {megabytes(costs.disk_mb)} (checkpoints {megabytes(costs.checkpoints_mb)}, export "
        f"{megabytes(costs.export_mb)}, reports and pictures {megabytes(costs.reports_mb)}); "
        f"{megabytes(costs.free_mb)} are free",
    )
