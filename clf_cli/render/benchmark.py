"""The forms of a model side by side, for each number of threads and images per call."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.benchmark import BenchmarkResult, Timing
from clf_cli.render.csv import Cell
from clf_cli.render.text import duration

HEADER = (
    "form",
    "threads",
    "batch_size",
    "calls",
    "latency_p50_ms",
    "latency_p95_ms",
    "cpu_p50_ms",
    "images_per_second",
    "ratio",
    "bytes",
    "load_seconds",
)


def table(result: BenchmarkResult) -> RenderableType:
    """The forms with size and loading time, then what each took in each case."""
    return Group(_forms(result), _timings(result))


def rows(result: BenchmarkResult) -> Iterator[tuple[Cell, ...]]:
    """A row per timing, as HEADER names the columns."""
    opened = {one.form.name: one for one in result.opened}
    for one in result.timings:
        about = opened[one.form]
        yield (
            one.form,
            one.threads,
            one.batch_size,
            one.calls,
            1e3 * one.latency_p50,
            1e3 * one.latency_p95,
            1e3 * one.cpu_p50,
            one.images_per_second,
            one.ratio,
            about.form.bytes,
            about.load_seconds,
        )


def _forms(result: BenchmarkResult) -> Table:
    grid = Table(title="Forms", title_justify="left")
    grid.add_column("form", no_wrap=True)
    grid.add_column("file", overflow="fold")
    for name in ("size", "loads in"):
        grid.add_column(name, justify="right", no_wrap=True)
    for one in result.opened:
        file = "made for this, not kept" if one.form.made else one.form.file
        grid.add_row(one.form.name, Text(file), f"{one.form.bytes / 1e6:.1f} MB", _loading(one.load_seconds))
    return grid


def _timings(result: BenchmarkResult) -> Table:
    grid = Table(title="Time per call, and images per second", title_justify="left")
    for name in ("threads", "batch"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("form", no_wrap=True)
    for name in ("p50", "p95", "images/s", f"× {result.baseline}"):
        grid.add_column(name, justify="right", no_wrap=True)
    for threads, batch_size in result.cases:
        case = [str(threads), str(batch_size)]
        for number, timing in enumerate(result.of(threads, batch_size)):
            grid.add_row(*(case if number == 0 else ["", ""]), *_cells(timing))
        grid.add_section()
    return grid


def _cells(timing: Timing) -> tuple[str, ...]:
    rate = timing.images_per_second
    return (
        timing.form,
        _milliseconds(timing.latency_p50),
        _milliseconds(timing.latency_p95),
        f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}",
        f"{timing.ratio:.2f}",
    )


def _milliseconds(seconds: float) -> str:
    """`0.042 ms`, `9.51 ms`, `1,318 ms`."""
    value = 1e3 * seconds
    digits = 3 if value < 0.995 else 2 if value < 99.5 else 0
    return f"{value:,.{digits}f} ms"


def _loading(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{seconds:.2f} s"
