"""Everything that is decided before the first step of a new run."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clf_cli import signals
from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.knobs import resolve_augment
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.metrics import TOP
from clf_cli.engine.onnx_opset import require_opset
from clf_cli.errors import DataError, UsageError
from clf_cli.files import is_temporary, unwritable
from clf_cli.locks import is_locked
from clf_cli.models.compute import Compute, resolve_compute
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.root import Settings
from clf_cli.training.image_cache import require_drawable
from clf_cli.training.record import new_record
from clf_cli.training.trackers.tracker import require_installed
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import RunRecord


@dataclass(frozen=True)
class Start:
    """A run that is ready to train: `checkpoint` is what it continues from, after `step` optimiser steps, `notes` what
    to say of it; `again` is whether its folder is there and nothing in it was trained yet."""

    run: RunDir
    record: RunRecord
    settings: Settings
    settings_toml: str
    compute: Compute
    dataset: Dataset
    preprocess: Preprocess
    checkpoint: Path | None
    notes: tuple[str, ...]
    again: bool = False
    step: int = 0


@dataclass(frozen=True)
class NothingToDo:
    """A finished run that was asked to continue."""

    run: RunDir
    epochs: int


def fresh_start(resolved: Resolved, progress: Progress, command: Sequence[str], remember: bool = True) -> Start:
    """Raises UsageError, DataError, ExportError or RunError before anything slow or lasting has happened.

    Without `remember` the scan of the data is not written into its cache.
    """
    settings = with_absolute_paths(resolved.settings)
    if settings.data.root is None:
        raise UsageError(
            "No data given.", 'Say --data DIR, CLF_DATA__ROOT=DIR, or root = "DIR" under [data] in clf.toml.'
        )
    require_parts(settings)
    root = run_folder(settings, settings.data.root)
    workers = scan_threads(settings.compute.workers)
    dataset = load_dataset(settings.data, settings.compute.seed, workers, progress, remember)
    require_val(dataset, settings)
    require_monitor(dataset, settings)
    compute, compute_notes = resolve_compute(settings.compute)
    require_drawable(settings.compute.cache, compute.device, resolve_augment(settings.augment, dataset.labels))
    from clf_cli.models.build import preprocess_for  # timm, which a mistake in the data need not wait for

    preprocess = preprocess_for(settings.model)
    first = settings.train.init_from
    record = replace(
        new_record(compute, settings.compute.seed, dataset.fingerprint, tuple(command)),
        init_from=None if first is None else first.expanduser().absolute().as_posix(),
    )
    return Start(
        run=RunDir(root),
        record=record,
        settings=settings,
        settings_toml=Resolved(settings, resolved.origin).to_toml(),
        compute=compute,
        dataset=dataset,
        preprocess=preprocess,
        checkpoint=None,
        notes=(*resolved.notes, *compute_notes, *dataset.notes, *size_hint(dataset, preprocess)),
    )


def require_parts(settings: Settings) -> None:
    """Raises ExportError (exit 5) for a tracker that is not installed, UsageError (exit 2) for an opset that could not
    be written when the training is over."""
    require_installed(settings.train.tracker)
    if settings.export.enabled:
        require_opset(settings.export.opset)


def with_absolute_paths(settings: Settings) -> Settings:
    """The same settings with paths that hold from any folder, `~` expanded."""
    data = settings.data.model_copy(update={"root": _absolute(settings.data.root)})
    model = settings.model.model_copy(update={"weights": _absolute(settings.model.weights)})
    return settings.model_copy(update={"data": data, "model": model})


def run_folder(settings: Settings, data_root: Path) -> Path:
    """The folder of a new run. Raises UsageError for a name that is taken, RunError where nothing can be written."""
    name = settings.train.name
    if name is not None and (not name or Path(name).name != name):
        raise UsageError(f"--name {name!r} is not a plain folder name.", "Use --out for the folder in which it goes.")
    out = settings.train.out.expanduser()
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise unwritable(out, error) from error
    if name is not None:
        if os.path.lexists(out / name) and not never_began(RunDir(out / name)):
            raise _taken(out / name)
        return out / name
    stem = data_root.stem if os.path.isfile(data_root) else data_root.name  # noqa: PTH113  # Path raises for long names
    candidates = (f"{stem}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, 100_000))))
    return next(out / candidate for candidate in candidates if not os.path.lexists(out / candidate))


def _taken(root: Path) -> UsageError:
    """A run that was just begun, or was killed as it began, has no run.json yet."""
    if root.is_dir():
        hint = f"Choose another --name, or continue that run with --resume {root}."
        if not RunDir(root).run_json.is_file():
            hint = "Choose another --name, or remove that folder unless a run begins there now: it has no run.json."
        return UsageError(f"There is a run named {root.name!r} in {root.parent} already.", hint)
    return UsageError(f"There is a file {root} already.", "Choose another --name, or move that file.")


def never_began(run: RunDir) -> bool:
    """Whether a folder is all that a run left which ended before its run.json: so that the same command can be typed
    again. Without the lock of such a run it may be a person's, or that of a run which begins this moment."""
    if run.root.is_symlink() or not run.root.is_dir() or is_locked(run.lock) is True:
        return False
    names = {path.name for path in run.root.iterdir() if not is_temporary(path)}
    ours = {run.lock.name, run.log.name, run.settings.name, run.splits.name, run.checkpoints.name}
    kept = run.checkpoints.is_dir() and any(not is_temporary(path) for path in run.checkpoints.iterdir())
    return not kept and run.lock.is_file() and names <= ours


def claim(start: Start) -> RunDir:
    """Makes the folder of a new run, as nobody else can: a name that another process just took is refused if it was
    given (UsageError), else the next one is tried. Raises UnwritableError (exit 6)."""
    signals.stop_now()
    root = start.run.root
    while True:
        try:
            root.mkdir(parents=True)
            return RunDir(root)
        except FileExistsError:
            if start.settings.train.name is not None and never_began(RunDir(root)):
                return RunDir(root)
            assert start.settings.data.root is not None
            root = run_folder(start.settings, start.settings.data.root)
        except OSError as error:
            raise unwritable(root, error) from error


def require_val(dataset: Dataset, settings: Settings) -> None:
    """Raises DataError (exit 3) for a run that could not be validated, unless that is asked for."""
    if settings.train.val and not dataset.split("val"):
        raise DataError(
            f"{dataset.root} has no val images.",
            "Add a val split, set --val-fraction above 0, or train without validation with --no-val.",
        )


def require_monitor(dataset: Dataset, settings: Settings) -> None:
    """Raises UsageError (exit 2) for a metric that these data leave undefined: it could not pick an epoch."""
    classes = len(dataset.labels)
    if settings.train.val and settings.train.monitor == "val/acc_top5" and classes <= TOP:
        raise UsageError(
            f"--monitor val/acc_top5 is undefined for {classes} classes: top-5 needs more than {TOP}.",
            "Monitor val/acc_top1, val/f1_macro or val/loss.",
        )


def size_hint(dataset: Dataset, preprocess: Preprocess) -> tuple[str, ...]:
    """A hint when the median train image is well under half of the network's input."""
    median, smaller = smaller_size(dataset)
    if smaller >= max(preprocess.height, preprocess.width):
        return ()
    return (
        f"The median image is {median} px on its long side and the input {preprocess.width} px: "
        f"--image-size {smaller} would train faster.",
    )


def smaller_size(dataset: Dataset) -> tuple[int, int]:
    """The median of the train images' long sides, and the least input that still holds twice as much."""
    sides = sorted(max(file.width, file.height) for s in dataset.split("train") if (file := dataset.files[s.path]))
    median = sides[len(sides) // 2]
    return median, max(32, (median * 2 + 31) // 32 * 32)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()
