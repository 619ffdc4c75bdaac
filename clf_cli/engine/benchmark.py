"""Latency and throughput of one model in several forms, side by side in one process, which take turns."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, ClassVar

import numpy as np

from clf_cli.errors import RunError
from clf_cli.settings.onnx_sections import BenchmarkSection
from clf_cli.values.preprocess import InputArray
from clf_cli.values.progress import Advance, Progress, silent
from clf_cli.values.report import FindingJson, ModelRef, Report, finding

TURNS = 10  # of each form per case, at least one timed call in each: what else the machine does hits all forms alike
_WARM_UP = 2  # calls before the first turn: memory is allocated, kernels are chosen
_SEVERAL = 4  # calls of a turn: from there on one more does not double the time of a case
_TICK = 1e-9
_BUSY = 0.9  # share of a core below which times are those of a busy machine
Answer = Callable[[InputArray], object]


@dataclass(frozen=True)
class Form:
    """The model in one runtime and precision; `open` makes it ready on that many math threads, and no more."""

    name: str  # `torch fp32`, `onnx int8`
    file: str
    bytes: int
    shape: tuple[int, ...]  # of one image's input
    dtype: str  # as numpy names it
    open: Callable[[int], Answer]
    made: bool = False  # for this measurement, and thrown away


@dataclass(frozen=True)
class Opened:
    """A form with the seconds that opening it took the first time."""

    form: Form
    load_seconds: float

    def to_json(self) -> dict[str, Any]:
        form = self.form
        return {
            "form": form.name,
            "file": form.file,
            "bytes": form.bytes,
            "made": form.made,
            "load_seconds": self.load_seconds,
        }


@dataclass(frozen=True)
class Timing:
    """The calls of one form in one case, in seconds per call: of the wall, and of CPU of the calling thread (median).

    `ratio` is what the form that all are held against takes, divided by what this one takes: of one thread by CPU,
    which other processes hardly change, of more by the median of the wall.
    """

    form: str
    threads: int
    batch_size: int
    calls: int
    latency_p50: float
    latency_p95: float
    cpu_p50: float
    images_per_second: float
    ratio: float
    core_share: float  # CPU seconds of the calling thread per second of the wall


@dataclass(frozen=True)
class BenchmarkResult:
    """The report of kind `benchmark`; the first form is what the ratios are against."""

    kind: ClassVar[str] = "benchmark"

    model: ModelRef | None
    opened: tuple[Opened, ...]
    timings: tuple[Timing, ...]
    seconds: float  # that each case was asked to take at least
    cores: int

    @property
    def baseline(self) -> str:
        return self.opened[0].form.name

    @property
    def cases(self) -> tuple[tuple[int, int], ...]:
        """Threads and batch sizes, in the order in which they were timed."""
        return tuple(dict.fromkeys((timing.threads, timing.batch_size) for timing in self.timings))

    def of(self, threads: int, batch_size: int) -> tuple[Timing, ...]:
        """The forms side by side."""
        return tuple(one for one in self.timings if (one.threads, one.batch_size) == (threads, batch_size))

    @property
    def core_share(self) -> float | None:
        """Of a core, what one thread got on average; None where no case had a single thread."""
        shares = [timing.core_share for timing in self.timings if timing.threads == 1]
        return float(np.mean(shares)) if shares else None

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        found = [
            f"{threads} threads share {self.cores} core{'' if self.cores == 1 else 's'} of this process"
            for threads in dict.fromkeys(timing.threads for timing in self.timings)
            if threads > self.cores
        ]
        if self.core_share is not None and self.core_share < _BUSY:
            others = "" if all(timing.threads == 1 for timing in self.timings) else ", those of more may not"
            found.append(
                f"other processes were busy: one thread had a core for {self.core_share:.0%} of the time, so times are "
                f"too long; ratios of one thread are of CPU time and hold{others}"
            )
        return tuple(finding("benchmark", reason) for reason in found)

    @property
    def report(self) -> Report:
        return Report(self, self.model, findings=self.findings)

    def to_result(self) -> dict[str, Any]:
        return {
            "baseline": self.baseline,
            "seconds": self.seconds,
            "cores": self.cores,
            "core_share": self.core_share,
            "forms": [one.to_json() for one in self.opened],
            "timings": [asdict(timing) for timing in self.timings],
        }


def benchmark(
    forms: Sequence[Form], section: BenchmarkSection, model: ModelRef | None, cores: int, progress: Progress = silent
) -> BenchmarkResult:
    """Times every form (at least one) in every case, the forms of a case in turns.

    Raises ModelError (exit 4) for a form that cannot be opened or does not take such a batch, RunError (exit 6) for a
    batch that does not fit into memory.
    """
    opened: dict[str, Opened] = {}
    timings: list[Timing] = []
    for threads in dict.fromkeys(section.threads):
        answers: list[Answer] = []
        for form in forms:
            start = time.perf_counter()
            answers.append(form.open(threads))
            opened.setdefault(form.name, Opened(form, time.perf_counter() - start))
        for batch_size in dict.fromkeys(section.batch_sizes):
            with progress(case_name(threads, batch_size), TURNS * len(forms)) as advance:
                timings += _case(forms, answers, (threads, batch_size), section.seconds, advance)
    return BenchmarkResult(model, tuple(opened.values()), tuple(timings), section.seconds, cores)


def case_name(threads: int, batch_size: int) -> str:
    """`1 thread, batches of 8`."""
    return f"{threads} thread{'' if threads == 1 else 's'}, batches of {batch_size}"


def inputs_of(shape: tuple[int, ...], dtype: str, count: int) -> InputArray:
    """(count, ...) of noise, the same each time: speed does not depend on the values."""
    rng = np.random.default_rng(0)
    if np.issubdtype(np.dtype(dtype), np.integer):
        return rng.integers(0, 256, (count, *shape)).astype(dtype)
    return rng.standard_normal((count, *shape), np.float32).astype(dtype)


def _case(
    forms: Sequence[Form], answers: Sequence[Answer], case: tuple[int, int], seconds: float, advance: Advance
) -> Iterator[Timing]:
    threads, batch_size = case
    try:
        batches = {kind: inputs_of(*kind, batch_size) for kind in {(form.shape, form.dtype) for form in forms}}
        watches = [_Stopwatch(a, batches[f.shape, f.dtype]) for f, a in zip(forms, answers, strict=True)]
        _in_turns(watches, seconds, advance)
    except (MemoryError, RuntimeError) as error:  # torch's own for the CPU is a plain RuntimeError
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        raise RunError(f"{case_name(*case)} do not fit into memory.", "Take smaller --batch-sizes.") from error
    for form, watch in zip(forms, watches, strict=True):
        yield Timing(
            form=form.name,
            threads=threads,
            batch_size=batch_size,
            calls=len(watch.wall),
            latency_p50=median(watch.wall),
            latency_p95=float(np.quantile(watch.wall, 0.95)),
            cpu_p50=median(watch.cpu),
            images_per_second=batch_size * len(watch.wall) / watch.total,
            ratio=watches[0].cost(threads) / watch.cost(threads),
            core_share=sum(watch.cpu) / watch.total,
        )


def _in_turns(watches: Sequence["_Stopwatch"], seconds: float, advance: Advance) -> None:
    """Until each has been timed for that long, and once in each turn."""
    for watch, _ in itertools.product(watches, range(_WARM_UP)):
        watch.call()
    for turn in range(1, TURNS + 1):
        for watch in watches:
            watch.run(turn, seconds)
            advance(1)


class _Stopwatch:
    """Calls one form on one batch, and keeps what each timed call took."""

    def __init__(self, answer: Answer, batch: InputArray) -> None:
        self._answer, self._batch = answer, batch
        self.wall: list[float] = []
        self.cpu: list[float] = []  # of the calling thread
        self.total = 0.0  # of the wall

    def call(self) -> None:
        self._answer(self._batch)

    def run(self, turn: int, seconds: float) -> None:
        """Adds calls until this turn's share of the time is used.

        Where a turn holds several calls, one goes before them untimed: another form has just had the caches.
        """
        if _SEVERAL * TURNS * self.total <= seconds * len(self.wall):
            self.call()
        while len(self.wall) < turn or self.total < seconds * turn / TURNS:
            start, cpu = time.perf_counter(), time.thread_time()
            self.call()
            self.wall.append(time.perf_counter() - start)
            self.cpu.append(time.thread_time() - cpu)
            self.total += self.wall[-1]

    def cost(self, threads: int) -> float:
        """What ratios are of; where a call takes less than the clock tells apart, that."""
        return max(median(self.cpu if threads == 1 else self.wall), _TICK)
