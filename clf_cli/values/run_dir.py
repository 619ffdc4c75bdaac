"""Every name inside a run directory (docs/design.md, 2.2)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunDir:
    """A run's folder; nothing else in the program spells one of these names."""

    root: Path

    @property
    def run_json(self) -> Path:
        return self.root / "run.json"

    @property
    def lock(self) -> Path:
        """There while a process trains the run, or since one was killed."""
        return self.root / ".lock"

    @property
    def settings(self) -> Path:
        return self.root / "settings.toml"

    @property
    def splits(self) -> Path:
        return self.root / "splits.csv"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.csv"

    @property
    def timing(self) -> Path:
        return self.root / "timing.csv"

    @property
    def log(self) -> Path:
        return self.root / "log.txt"

    @property
    def labels_mapping(self) -> Path:
        return self.root / "labels_mapping.json"

    @property
    def history(self) -> Path:
        return self.root / "history.png"

    @property
    def report_page(self) -> Path:
        return self.root / "report.html"

    @property
    def tracker(self) -> Path:
        return self.root / "tracker"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def previous(self) -> Path:
        return self.checkpoints / "prev.ckpt"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.ckpt"

    @property
    def top(self) -> Path:
        return self.checkpoints / "top"

    def top_checkpoint(self, epoch: int, value: float) -> Path:
        """`epoch` counts from 1; `value` is the monitored metric."""
        return self.top / f"epoch{epoch:03d}-{value:.4f}.ckpt"

    def step_checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:08d}.ckpt"

    def report(self, kind: str, suffix: str = ".json") -> Path:
        return self.root / "reports" / f"{kind}{suffix}"

    @property
    def epochs(self) -> Path:
        return self.root / "epochs"

    def epoch(self, epoch: int) -> Path:
        """Folder of one epoch's data and pictures; `epoch` counts from 1."""
        return self.epochs / f"{epoch:03d}"

    @property
    def export(self) -> Path:
        return self.root / "export"

    @property
    def onnx(self) -> Path:
        return self.export / "model.onnx"

    def onnx_variant(self, suffix: str) -> Path:
        """An export that is no plain float32 file of the weights that scored: `-live` gives model-live.onnx."""
        return self.export / f"model{suffix}.onnx"

    @property
    def export_labels_mapping(self) -> Path:
        return self.export / "labels_mapping.json"

    @property
    def golden(self) -> Path:
        return self.export / "golden"

    @property
    def validation(self) -> Path:
        return self.export / "validation.json"

    def relative(self, path: Path) -> str:
        """`path` as reports name it: relative to the run, posix."""
        return path.resolve().relative_to(self.root.resolve()).as_posix()


def run_of(path: Path) -> RunDir | None:
    """The run that `path` is or lies in: the nearest folder upwards, at most three, that holds run.json."""
    for folder in (path, *path.resolve().parents[:3]):
        if (folder / "run.json").is_file():
            return RunDir(folder)
    return None


def name_in_run(path: Path) -> str:
    """How reports name a file: relative to the run that it lies in, else its own name."""
    run = run_of(path)
    return run.relative(path) if run else path.name


def newest_runs(folder: Path = Path("runs"), count: int = 5) -> str:
    """A sentence for messages: the runs in `folder` whose run.json was written last."""
    found = [(file.stat().st_mtime, file.parent) for file in folder.glob("*/run.json")]
    newest = [run.as_posix() for _, run in sorted(found, reverse=True)[:count]]
    return f"The newest runs: {', '.join(newest)}." if newest else "`clf train` makes runs, by default in ./runs."
