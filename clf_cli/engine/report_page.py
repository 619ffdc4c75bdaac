"""Everything that the page about a run shows, in one value: what its files say, and pictures of the worst mistakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.engine.history import HistoryResult, history
from clf_cli.engine.run_files import read_run
from clf_cli.engine.samples import SampledPrediction, worst_mistakes
from clf_cli.engine.stored_calibration import model_digest
from clf_cli.engine.stored_reports import (
    CalibrationFacts,
    DataFacts,
    ExportFacts,
    ModelFacts,
    Scores,
    TrainFacts,
    contract_of,
    read_stored,
)
from clf_cli.engine.thumbnails import small_jpeg
from clf_cli.reading import read_json
from clf_cli.settings.root import Settings
from clf_cli.settings.sources import StoredSetting, stored_settings
from clf_cli.values.contract import Contract
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import NEVER_VALIDATED, FindingJson, finding
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord

T = TypeVar("T")
WORST = 24
PICTURE = 176  # pixels of a picture's longer side
LOG_LINES = 500
SPLITS = ("val", "test")


@dataclass(frozen=True)
class WorstImage:
    """`jpeg` is a small picture of the file, upright; None where it was left out or cannot be read."""

    sample: SampledPrediction
    jpeg: bytes | None


@dataclass(frozen=True)
class Mistakes:
    """Val images with the highest loss, the highest first; `note` says why they, or their pictures, are not there."""

    images: tuple[WorstImage, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Ended:
    """What a run that has just ended is about to write into run.json and as the result of reports/train.json."""

    record: RunRecord
    train: Mapping[str, Any]


@dataclass(frozen=True)
class ReportPage:
    """A run as its files show it; what it did not write is None or empty. Nothing depends on when or where it is read.

    `path` is the run's folder as its training named it, for commands to type; `versions` has clf, python and libraries.
    """

    name: str
    path: str
    record: RunRecord
    versions: Mapping[str, str]
    settings: Settings
    sources: tuple[StoredSetting, ...]  # every setting as settings.toml has it
    history: HistoryResult | None
    seconds: float | None  # of all finished epochs
    scores: Mapping[str, Scores]  # by split
    confusions: Mapping[str, ConfusionResult]  # by split
    mistakes: Mistakes
    data: DataFacts | None
    model: ModelFacts | None
    train: TrainFacts | None
    calibration: CalibrationFacts | None
    export: ExportFacts | None
    contract: Contract | None
    log: tuple[str, ...]

    @property
    def sections(self) -> tuple[str, ...]:
        """The parts that the page has, in its order."""
        there: dict[str, object] = {
            "summary": True,
            "curves": self.history is not None,
            "confusion": self.confusions,
            "mistakes": self.mistakes.images or self.mistakes.note,
            "classes": self.scores,
            "calibration": self.calibration is not None,
            "data": self.data is not None,
            "settings": True,
            "export": self.export is not None or self.contract is not None,
            "environment": True,
            "reproduce": True,
            "log": self.log,
        }
        return tuple(name for name, has in there.items() if has)

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        """What a reader of the numbers has to know: of the weights, of the export, then of the data."""
        found = [] if self.record.validated else list(NEVER_VALIDATED)
        if self.train is not None and self.train.export_error:
            found.append(finding("export", self.train.export_error, severity="error"))
        if self.export is not None:
            found += [finding("export", reason, severity="error") for reason in self.export.reasons]
        if self.mistakes.note:
            found.append(finding("pictures", self.mistakes.note, severity="info"))
        return (*found, *(self.data.findings if self.data is not None else ()))

    @property
    def numbers(self) -> dict[str, float | int | str | None]:
        """What the page says first: scores by their names in the log, and what the run took."""
        scores = {f"{split}/{name}": value for split, of in self.scores.items() for name, value in of.values.items()}
        return {
            **scores,
            "status": self.record.status,
            "best_epoch": self.history.best_epoch if self.history is not None else None,
            "epochs": len(self.history.epochs) if self.history is not None else 0,
            "seconds": self.seconds,
            "parameters": self.model.parameters if self.model is not None else None,
        }


@dataclass(frozen=True)
class ReportResult:
    """The page as a file: where it is, how large, and what is in it."""

    kind: ClassVar[str] = "report"

    file: str
    bytes: int
    page: ReportPage

    def to_result(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "bytes": self.bytes,
            "sections": list(self.page.sections),
            "numbers": self.page.numbers,
            "mistakes": len(self.page.mistakes.images),
            "pictures": sum(image.jpeg is not None for image in self.page.mistakes.images),
        }


def report_page(run: RunDir, mistakes: Mistakes, ended: Ended | None = None) -> ReportPage:
    """Reads a run in any state; `ended` stands for the two files that are written last.

    Raises ModelError (exit 4) for a file of the run that is broken, or of a later version.
    """
    files = read_run(run)
    record = files.record if ended is None else ended.record
    about = read_json(run.run_json) if ended is None else ended.record.to_json()
    train = read_stored(run.report("train"), lambda report: TrainFacts.of(report["result"])) if ended is None else None
    name = run.root.resolve().name
    return ReportPage(
        name=name,
        path=(files.settings.train.out / name).as_posix(),
        record=record,
        versions=_versions(about),
        settings=files.settings,
        sources=stored_settings(run.settings),
        history=history(files.rows, files.settings.train.monitor) if files.rows else None,
        seconds=files.seconds,
        scores=_by_split(run, "metrics", Scores.of),
        confusions=_by_split(run, "confusion", lambda report: ConfusionResult.from_result(report["result"])),
        mistakes=mistakes,
        data=read_stored(run.report("dataset"), DataFacts.of),
        model=read_stored(run.report("model_info"), ModelFacts.of),
        train=train if ended is None else TrainFacts.of(ended.train),
        calibration=_calibration(run),
        export=read_stored(run.validation, ExportFacts.of),
        contract=read_stored(run.export_labels_mapping, contract_of),
        log=_log(run),
    )


def worst_images(predictions: Predictions, root: Path, pictures: bool = True) -> Mistakes:
    """The wrongly predicted images of the highest loss; `root` is the folder that their paths are relative to.

    Without `pictures`, and where a file can no longer be read, the row stays and the note says so.
    """
    samples = worst_mistakes(predictions, WORST)
    if not samples:
        return Mistakes(note="Every image is predicted right.")
    if not pictures:
        return Mistakes(tuple(WorstImage(sample, None) for sample in samples), "Pictures were left out on request.")
    images = tuple(WorstImage(sample, small_jpeg(root / sample.path, PICTURE)) for sample in samples)
    lost = sum(image.jpeg is None for image in images)
    return Mistakes(images, f"{lost} of {len(images)} pictures can no longer be read." if lost else "")


def _versions(about: Mapping[str, Any]) -> dict[str, str]:
    """As far as run.json tells them, whoever wrote it."""
    libraries = about.get("libraries")
    told = {"clf": about.get("clf"), "python": about.get("python")}
    told |= libraries if isinstance(libraries, dict) else {}
    return {name: version for name, version in told.items() if isinstance(version, str)}


def _by_split(run: RunDir, kind: str, parse: Callable[[Mapping[str, Any]], T]) -> dict[str, T]:
    """The reports of one kind on val and test, as far as they are there."""
    found = {split: read_stored(run.report(kind if split == "val" else f"{kind}-{split}"), parse) for split in SPLITS}
    return {split: report for split, report in found.items() if report is not None}


def _calibration(run: RunDir) -> CalibrationFacts | None:
    """That of the best checkpoint as it is now: a run that went on has other weights."""
    found = read_stored(run.report("calibration"), CalibrationFacts.of)
    if found is None or (run.best.is_file() and found.digest != model_digest(run.best)):
        return None
    return found


def _log(run: RunDir) -> tuple[str, ...]:
    """The last lines of log.txt."""
    if not run.log.is_file():
        return ()
    return tuple(run.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
