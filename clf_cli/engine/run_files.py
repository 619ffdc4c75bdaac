"""What a run's small files say, whether it goes on, ended or broke off; no checkpoint is opened."""

import csv
import io
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clf_cli.engine.history import read_metrics_csv
from clf_cli.errors import ModelError, UsageError
from clf_cli.reading import read_text
from clf_cli.settings.load import read_settings
from clf_cli.settings.root import Settings
from clf_cli.values.report import FindingJson, Weights, finding
from clf_cli.values.run_dir import RunDir, newest_runs, run_of
from clf_cli.values.run_lock import is_training
from clf_cli.values.run_record import RunRecord, read_record

QUIET_FLOOR = 600.0  # seconds without a change that say nothing yet
QUIET_EPOCHS = 3  # of the longest: a run that trains writes at the end of every one
QUIET_FIRST = 3600.0  # seconds, before any epoch says how long one takes
SILENT = "running?"  # status of a run that says `running` and probably was killed


@dataclass(frozen=True)
class RunFiles:
    """A run as its record, settings, metrics.csv and timing.csv tell it."""

    run: RunDir
    record: RunRecord
    settings: Settings
    rows: tuple[dict[str, float], ...]  # of metrics.csv, one per finished epoch
    epoch_seconds: tuple[float, ...]  # of timing.csv; an epoch that was done twice stands twice
    changed: datetime  # of the newest file that training writes, UTC

    @property
    def data(self) -> str:
        """Name of the folder or file that it trained with."""
        root = self.settings.data.root
        return "" if root is None else root.name

    @property
    def weights(self) -> Weights:
        """The weights that validate."""
        return "ema" if self.settings.ema.enabled else "live"

    @property
    def seconds(self) -> float | None:
        """Of all epochs, as reports/train.json counts them; None before the first one ended."""
        return round(sum(self.epoch_seconds), 3) if self.epoch_seconds else None

    def is_silent(self, now: datetime) -> bool:
        """Whether a run that says `running` was killed, as its lock tells; where that tells nothing, whether it has not
        written for so long that it probably was."""
        trains = is_training(self.run) if self.record.status == "running" else False
        if trains is not None:
            return self.record.status == "running" and not trains
        longest = max(self.epoch_seconds, default=None)
        allowed = QUIET_FIRST if longest is None else max(QUIET_FLOOR, QUIET_EPOCHS * longest)
        return self.record.status == "running" and (now - self.changed).total_seconds() > allowed

    def status(self, now: datetime) -> str:
        """That of run.json, or SILENT."""
        return SILENT if self.is_silent(now) else self.record.status


def read_run(run: RunDir) -> RunFiles:
    """Raises ModelError (exit 4) for what is no run, is broken, or was written by a later clf."""
    _require_run(run)
    record = read_record(run)
    try:
        settings = read_settings(run.settings)
    except UsageError as error:  # of files that are no one's to edit
        raise ModelError(error.message, "Name a folder that clf train wrote.") from error
    rows = read_metrics_csv(run.metrics) if run.metrics.exists() else []
    return RunFiles(run, record, settings, tuple(rows), _epoch_seconds(run.timing), _last_change(run))


def short(fingerprint: str) -> str:
    """The first eight digits, without the name of the hash."""
    return fingerprint.rpartition(":")[2][:8]


def mixed(values: Collection[object], what: str) -> tuple[FindingJson, ...]:
    """The finding that scores which do not compare stand side by side; none where they do."""
    reason = f"scores of {len(values)} {what} are in one list"
    return (finding("mixed", reason),) if len(values) > 1 else ()


def _require_run(run: RunDir) -> None:
    root = run.root
    if run.run_json.is_file():
        return
    if not root.exists():
        raise ModelError(f"There is no {root}.", f"Expected a run folder. {newest_runs()}")
    if root.is_dir():
        raise ModelError(f"{root} is not a run: it has no {run.run_json.name}.", newest_runs())
    own = run_of(root)
    raise ModelError(f"{root} is a file, not a run.", f"Its run: {own.root}." if own else newest_runs())


def _last_change(run: RunDir) -> datetime:
    files = (run.run_json, run.log, run.metrics, run.timing, run.last, run.report("train"))
    return datetime.fromtimestamp(max(file.stat().st_mtime for file in files if file.exists()), UTC)


def _epoch_seconds(timing: Path) -> tuple[float, ...]:
    """A last line that a killed run left unfinished is not counted."""
    try:
        texts = [row.get("seconds") for row in csv.DictReader(io.StringIO(read_text(timing), newline=""))]
    except (OSError, UnicodeDecodeError, csv.Error):
        return ()
    return tuple(seconds for text in texts if (seconds := _number(text)) is not None)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
