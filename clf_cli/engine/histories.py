"""The courses of runs, read from their folders: of one as training reports it, of several side by side."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from clf_cli.engine.history import HistoryResult, history
from clf_cli.engine.run_files import RunFiles, mixed, read_run
from clf_cli.errors import ModelError
from clf_cli.values.report import NEVER_VALIDATED, FindingJson, ModelRef, Report
from clf_cli.values.run_dir import RunDir


@dataclass(frozen=True)
class RunCourse:
    """The course of one run, and what tells the run from others."""

    run: str  # its folder, as it was named
    name: str  # the end of that path, as long as it takes to be the only one
    run_id: str
    arch: str
    data: str  # name of its folder or file
    data_fingerprint: str
    status: str  # as people read it: `running?` for a run that was probably killed
    planned: int  # epochs
    history: HistoryResult

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "run_id": self.run_id,
            "arch": self.arch,
            "data": self.data,
            "data_fingerprint": self.data_fingerprint,
            "status": self.status,
            "epochs_planned": self.planned,
            **self.history.to_result(),
        }


@dataclass(frozen=True)
class HistoriesResult:
    """Runs in the order in which they were named."""

    kind: ClassVar[str] = "histories"

    runs: tuple[RunCourse, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all runs together, in the order of metrics.csv."""
        return tuple(dict.fromkeys(name for course in self.runs for name in course.history.metrics))

    @property
    def data_sets(self) -> tuple[tuple[str, str], ...]:
        """Name and fingerprint of each data set: the heights of curves compare within one."""
        return tuple(dict.fromkeys((course.data, course.data_fingerprint) for course in self.runs))

    @property
    def findings(self) -> tuple[FindingJson, ...]:
        return mixed(self.data_sets, "data sets")

    def to_result(self) -> dict[str, Any]:
        return {"runs": [course.to_json() for course in self.runs]}

    def only(self, columns: Collection[str]) -> "HistoriesResult":
        """The same runs with those of the columns that they have."""
        return HistoriesResult(tuple(replace(c, history=c.history.only(columns)) for c in self.runs))


def read_trained(roots: Sequence[Path]) -> tuple[RunFiles, ...]:
    """The runs, each once, in order. Raises ModelError (exit 4) for what is no run, and for one without an epoch."""
    distinct: dict[Path, Path] = {}
    for root in roots:
        distinct.setdefault(root.resolve(), root)
    found = tuple(read_run(RunDir(root)) for root in distinct.values())
    without = [files for files in found if not files.rows]
    if without:
        names = ", ".join(f"{files.run.root} ({files.record.status})" for files in without)
        raise ModelError(f"No epoch is finished yet: {names}.", _advice(without))
    return found


def history_report(files: RunFiles) -> Report:
    """One run's course: what training writes to reports/history.json."""
    validates, run = files.settings.train.val, files.run
    scored = run.best if validates else run.last
    model = ModelRef(run.relative(scored), files.settings.model.arch, files.weights, files.record.run_id)
    return Report(_course(files), model, findings=() if validates else NEVER_VALIDATED)


def histories(runs: Sequence[RunFiles], now: datetime) -> HistoriesResult:
    """Several runs' courses, in order; `now` tells a run that goes on from one that fell silent."""
    names = told_apart([files.run.root for files in runs])
    return HistoriesResult(
        tuple(
            RunCourse(
                run=files.run.root.as_posix(),
                name=name,
                run_id=files.record.run_id,
                arch=files.settings.model.arch,
                data=files.data,
                data_fingerprint=files.record.data_fingerprint,
                status=files.status(now),
                planned=files.settings.optim.epochs,
                history=_course(files),
            )
            for files, name in zip(runs, names, strict=True)
        )
    )


def told_apart(roots: Sequence[Path]) -> tuple[str, ...]:
    """The shortest end of each path, one name at least, that no other path has; `roots` are different folders."""
    paths = [root.resolve().parts for root in roots]

    def end(parts: tuple[str, ...]) -> str:
        others = [other for other in paths if other is not parts]
        lengths = range(1, len(parts) + 1)
        length = next((n for n in lengths if all(other[-n:] != parts[-n:] for other in others)), len(parts))
        return Path(*parts[-length:]).as_posix()

    return tuple(end(parts) for parts in paths)


def _course(files: RunFiles) -> HistoryResult:
    return history(files.rows, files.settings.train.monitor)


def _advice(runs: Sequence[RunFiles]) -> str:
    if any(files.record.status == "running" for files in runs):
        return "A run's first epoch is shown when it has ended."
    return f"{runs[0].run.log} says why."
