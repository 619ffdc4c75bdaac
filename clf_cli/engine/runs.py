"""The runs of a folder as a list: found, read from their small files, chosen and sorted. No checkpoint is opened."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from clf_cli.engine.history import best_epoch
from clf_cli.engine.run_files import RunFiles, mixed, read_run
from clf_cli.engine.stored_reports import read_stored
from clf_cli.errors import ModelError
from clf_cli.values.report import FindingJson, finding
from clf_cli.values.run_dir import RunDir

DEPTH = 3  # folders below the one that is named
BROKEN = "broken"


@dataclass(frozen=True)
class RunRow:
    """One run of the list. Of a broken one only the place is known, and `error`; None is also what a run never had."""

    run: str  # its folder, posix
    name: str  # the same below the listed folder
    status: str  # running, finished, interrupted, failed; `running?` for one that fell silent; broken
    error: str | None = None
    run_id: str | None = None
    arch: str | None = None
    data: str | None = None  # name of its folder or file
    data_fingerprint: str | None = None
    image_size: int | None = None
    seed: int | None = None
    epochs: int | None = None
    epochs_planned: int | None = None
    metric: str | None = None  # that picks the best epoch
    score: float | None = None  # of the best epoch
    best_epoch: int | None = None
    weights: str | None = None  # that scored: ema or live
    test_score: float | None = None  # the same metric
    onnx: str | None = None  # passed, failed or unchecked
    seconds: float | None = None  # of its epochs
    started: str | None = None  # UTC; an earlier clf did not write it
    changed: str | None = None  # UTC, the last time that it wrote


@dataclass(frozen=True)
class RunsResult:
    """The runs that were asked for, sorted, and the first of them that are shown. `found` counts all of the folder."""

    kind: ClassVar[str] = "runs"

    folder: str
    found: int
    sort: str
    matching: tuple[RunRow, ...]
    reverse: bool = False
    limit: int | None = None

    @property
    def rows(self) -> tuple[RunRow, ...]:
        """Those that are shown."""
        return self.matching[: self.limit]

    @property
    def data_sets(self) -> tuple[tuple[str, str], ...]:
        """Name and fingerprint of each data set that was scored on: the first of several is not the best of all."""
        scored = ((row.data, row.data_fingerprint) for row in self.matching if row.score is not None)
        return tuple(dict.fromkeys((data or "", fingerprint or "") for data, fingerprint in scored))

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was scored by; scores of two metrics do not compare."""
        return tuple(dict.fromkeys(row.metric for row in self.matching if row.score is not None and row.metric))

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        """What is wrong with the list: runs that cannot be read, scores that do not compare."""
        broken = (finding(BROKEN, row.error, row.run) for row in self.rows if row.error is not None)
        return (*broken, *mixed(self.data_sets, "data sets"), *mixed(self.metrics, "metrics"))

    def to_result(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "found": self.found,
            "matching": len(self.matching),
            "sort": self.sort,
            "reverse": self.reverse,
            "runs": [asdict(row) for row in self.rows],
        }


def read_runs(folder: Path, now: datetime) -> tuple[RunRow, ...]:
    """Every run in or below `folder`, by name; broken ones too. Raises ModelError (exit 4) where there is none."""
    if not folder.is_dir():
        what = f"{folder} is a file" if folder.exists() else f"There is no folder {folder}"
        raise ModelError(f"{what}.", "Name a folder of runs; `clf train` makes them, by default in ./runs.")
    rows = tuple(_row(place, folder, now) for place in _places(folder, DEPTH))
    if not rows:
        raise ModelError(f"No runs in {folder}.", "`clf train` makes runs, by default in ./runs.")
    return tuple(sorted(rows, key=lambda row: row.name))


def _places(folder: Path, depth: int) -> Iterator[Path]:
    """Folders that hold a run, or what is left of one; nothing below a run is looked at."""
    run = RunDir(folder)
    if run.run_json.exists() or (run.settings.exists() and run.splits.exists()):
        yield folder
    elif depth > 0:
        try:
            below = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        except OSError:  # a folder that is not ours to read
            return
        for entry in below:
            yield from _places(entry, depth - 1)


def _row(place: Path, folder: Path, now: datetime) -> RunRow:
    """A run that cannot be read becomes a row that says why, so that the others are still listed."""
    name = place.relative_to(folder).as_posix() if place != folder else place.resolve().name
    try:
        return _read_row(RunDir(place), name, now)
    except ModelError as error:
        return RunRow(place.as_posix(), name, BROKEN, error.message)


def _read_row(run: RunDir, name: str, now: datetime) -> RunRow:
    files = read_run(run)
    settings, record = files.settings, files.record
    monitor = settings.train.monitor
    best = best_epoch(files.rows, monitor)
    scores = {int(row["epoch"]): row[monitor] for row in files.rows if monitor in row}
    return RunRow(
        run=run.root.as_posix(),
        name=name,
        status=files.status(now),
        run_id=record.run_id,
        arch=settings.model.arch,
        data=files.data,
        data_fingerprint=record.data_fingerprint,
        image_size=settings.model.image_size or _built_size(run),
        seed=record.seed,
        epochs=len(files.rows),
        epochs_planned=settings.optim.epochs,
        metric=monitor,
        score=None if best is None else scores[best],
        best_epoch=best,
        weights=None if best is None else files.weights,
        test_score=_test_score(files),
        onnx=_onnx(run),
        seconds=files.seconds,
        started=_utc(record.started),
        changed=files.changed.isoformat(timespec="seconds"),
    )


def _built_size(run: RunDir) -> int | None:
    """The network's own input size, where no setting says one."""
    return read_stored(run.labels_mapping, lambda mapping: int(mapping["contract"]["input"]["width"]))


def _test_score(files: RunFiles) -> float | None:
    """The monitored metric on the test split, which a run scores once, at its end."""
    if files.record.status != "finished":  # what is there is of an earlier end
        return None
    name = files.settings.train.monitor.replace("val/", "test/")
    return read_stored(files.run.report("train"), lambda report: (report["result"]["test"] or {}).get(name))


def _onnx(run: RunDir) -> str | None:
    """Whether the exported file passed its check."""
    if not run.onnx.is_file():
        error = read_stored(run.report("train"), lambda report: report["result"].get("export_error"))
        return "failed" if error else None
    passed = read_stored(run.validation, lambda report: bool(report["result"]["passed"]))
    return "unchecked" if passed is None else "passed" if passed else "failed"


def _utc(text: str | None) -> str | None:
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError):
        return None
