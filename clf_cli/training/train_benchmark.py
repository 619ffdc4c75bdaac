"""What `clf benchmark --train` measured: how fast this machine trains, where the time goes, what would be faster."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from clf_cli.data.store import Place
from clf_cli.values.report import FindingJson, finding

WORTH = 1.15  # times as fast: below it a change is noise
BUSY = 0.9  # share of a core below which another process was in the way
WAITS = 0.05  # share of a training step's time from which waiting for images is worth a change
Part = Literal[
    "data wait",
    "forward and backward",
    "optimiser",
    "moving average",
    "guards",
    "training loop",
    "validation",
    "checkpoints",
    "other callbacks",
]
OF_STEPS: tuple[Part, ...] = (
    "data wait",
    "forward and backward",
    "optimiser",
    "moving average",
    "guards",
    "training loop",
)
OF_EPOCHS: tuple[Part, ...] = ("validation", "checkpoints", "other callbacks")


@dataclass(frozen=True)
class Trained:
    """What was trained on what: settings with `auto` as what it became."""

    arch: str
    width: int
    height: int
    batch_size: int
    device: str
    precision: str
    channels_last: bool
    threads: int
    workers: int
    cores: int  # that this process may use
    augment: str
    images: int  # that an epoch draws
    val_images: int
    cache: Place  # where decoded images are between epochs


@dataclass(frozen=True)
class Rates:
    """Images per second of the wall. `limit` is of bare steps on tensors in memory; `data_first` and `data` of the
    loader alone, files decoded and from memory; `steps_first` and `steps` of training steps fed by it; `epoch` of a
    whole epoch, its validation and callbacks included."""

    limit: float
    data_first: float
    data: float
    steps_first: float
    steps: float
    epoch: float


@dataclass(frozen=True)
class Change:
    """Another setting: `gain` is how many times as fast bare steps were with it; NaN where that was not measured."""

    flag: str
    gain: float
    reason: str

    @property
    def pays(self) -> bool:
        return not self.gain < WORTH


@dataclass(frozen=True)
class Measured:
    """Raw times: `parts` are seconds of one epoch of `batches` training batches and `val_images` scored ones, `waits`
    of the first epoch's waiting for images. `core_share` is CPU per second of the wall of bare steps, a thread."""

    batch_seconds: float  # of a bare step
    data_first: float  # images per second
    data: float
    parts: Mapping[Part, float]
    waits: float
    batches: int
    val_images: int
    core_share: float


@dataclass(frozen=True)
class TrainBenchmarkResult:
    """The report of kind `train_benchmark`; `parts` are seconds of an epoch of all images, by arithmetic from those
    that were measured; `keeps` is whether decoded images stay, `kept_mb` how much that takes."""

    kind: ClassVar[str] = "train_benchmark"

    trained: Trained
    rates: Rates
    parts: Mapping[Part, float]
    changes: tuple[Change, ...]
    steps: int  # that were measured
    keeps: bool
    kept_mb: float
    core_share: float | None  # of one thread on a CPU, else None

    @property
    def epoch_seconds(self) -> float:
        return sum(self.parts.values())

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        if self.core_share is None or self.core_share >= BUSY:
            return ()
        reason = f"other processes were busy: a thread had a core for {self.core_share:.0%} of the time"
        return (finding("benchmark", f"{reason}, so rates are too low; shares and gains hold better"),)

    def to_result(self) -> dict[str, Any]:
        return {
            "trained": asdict(self.trained),
            "images_per_second": asdict(self.rates),
            "epoch_seconds": self.epoch_seconds,
            "parts": [{"part": name, "seconds": self.parts[name]} for name in self.parts],
            "changes": [{**asdict(change), "pays": change.pays} for change in self.changes],
            "steps": self.steps,
            "keeps": self.keeps,
            "kept_mb": self.kept_mb,
            "core_share": self.core_share,
        }


def summed_up(
    trained: Trained, measured: Measured, changes: tuple[Change, ...], batches: int, kept: float
) -> TrainBenchmarkResult:
    """What an epoch of `batches` batches takes; `kept` are bytes of decoded images that stay, 0 for none.

    Where none stay, every epoch waits for images as the first one did. Callbacks and checkpoints are taken as they
    were: of a few val images.
    """
    measured_parts = dict(measured.parts)
    first = {**measured_parts, "data wait": measured.waits}
    every = measured_parts if kept else first
    parts: dict[Part, float] = {}
    for part in (*OF_STEPS, *OF_EPOCHS):
        seconds = every.get(part, 0.0)
        if part in OF_STEPS:
            seconds *= batches / measured.batches
        elif part == "validation":
            seconds *= trained.val_images / max(1, measured.val_images)
        parts[part] = seconds
    rates = Rates(
        limit=trained.batch_size / measured.batch_seconds,
        data_first=measured.data_first,
        data=measured.data if kept else measured.data_first,
        steps_first=_steps(first, trained, measured),
        steps=_steps(every, trained, measured),
        epoch=trained.images / sum(parts.values()),
    )
    told = (*changes, *_of_data(trained, parts, keeps=bool(kept)))
    share = measured.core_share if trained.device == "cpu" and trained.threads == 1 else None
    return TrainBenchmarkResult(trained, rates, parts, told, measured.batches, bool(kept), kept / 1e6, share)


def _steps(parts: Mapping[Part, float], trained: Trained, measured: Measured) -> float:
    seconds = sum(parts.get(part, 0.0) for part in OF_STEPS)
    return trained.batch_size * measured.batches / seconds


def _of_data(trained: Trained, parts: Mapping[Part, float], *, keeps: bool) -> tuple[Change, ...]:
    """What would shorten the wait for images, where it is worth it."""
    wait = parts["data wait"] / sum(parts[part] for part in OF_STEPS)
    if wait < WAITS:
        return ()
    found = []
    unknown = float("nan")
    free = trained.cores - trained.threads - trained.workers
    if free > 0 and trained.cache != "gpu":
        reason = f"training waits for images {wait:.0%} of the time, and {free} of {trained.cores} cores are free"
        found.append(Change(f"--workers {trained.workers + free}", unknown, reason))
    if not keeps:
        reason = f"training waits for images {wait:.0%} of the time: every epoch decodes them anew"
        found.append(Change("--cache ram", unknown, reason))
    return tuple(found)
