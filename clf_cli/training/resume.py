"""Continuing a run exactly: its settings, its data, its compute, from its newest whole checkpoint."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clf_cli.data.dataset import load_run_dataset
from clf_cli.data.scan import scan_threads
from clf_cli.errors import DataError, ModelError, UsageError
from clf_cli.models.checkpoint import Checkpoint, read_checkpoint
from clf_cli.models.compute import resolve_compute
from clf_cli.settings.load import Resolved, read_settings
from clf_cli.settings.root import Settings, settings_of
from clf_cli.training.start import NothingToDo, Start, require_parts
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import RunDir, newest_runs, run_of
from clf_cli.values.run_record import read_record

# Flags that may differ from the run's own: they change no number of the epochs to come, or say that they do.
FREE = ("optim.epochs", "train.patience", "compute.workers", "train.resume", "train.checkpoint_every", "train.tracker")
FREE_SECTIONS = ("callbacks", "export")
INEXACT = ("compute.device", "compute.threads", "compute.precision", "compute.channels_last")


def resumed_start(resolved: Resolved, progress: Progress, command: Sequence[str]) -> Start | NothingToDo:
    """Raises ModelError (exit 4) without a resumable checkpoint, UsageError (exit 2) for a flag that would change the
    run, DataError (exit 3) when its files changed."""
    assert resolved.settings.train.resume is not None
    run, checkpoint = find_checkpoint(resolved.settings.train.resume)
    record = read_record(run)
    settings, notes = continued_settings(run, resolved)
    before = read_settings(run.settings).optim.epochs
    longer = resolved.given("train.patience") or checkpoint.epoch < settings.optim.epochs != before
    if record.status == "finished" and not longer:
        return NothingToDo(run, checkpoint.epoch)
    require_parts(settings)
    compute, compute_notes = resolve_compute(settings.compute)
    if not resolved.given("compute.threads"):
        compute = replace(compute, threads=record.threads)
    dataset = load_run_dataset(run, settings.data, checkpoint.labels, scan_threads(settings.compute.workers), progress)
    if dataset.fingerprint != record.data_fingerprint:
        raise DataError(
            f"The images or labels in {dataset.root} are not those that {run.root} was trained on.",
            "Restore them, or start a new run from its weights with --init-from.",
        )
    extended = before if settings.optim.epochs > before else record.extended_from
    if settings.optim.epochs != before:
        notes = (
            *notes,
            f"The schedule of {before} epochs is now one of {settings.optim.epochs}: learning rates differ.",
        )
    return Start(
        run=run,
        record=replace(record, command=tuple(command), status="running", extended_from=extended),
        settings=settings,
        settings_toml=Resolved(settings, resolved.origin).to_toml(),
        compute=compute,
        dataset=dataset,
        preprocess=checkpoint.preprocess,
        checkpoint=checkpoint.path,
        notes=(
            *notes,
            *compute_notes,
            f"Continuing {run.root} from {checkpoint.path.name} (epoch {checkpoint.epoch}).",
        ),
    )


def find_checkpoint(path: Path) -> tuple[RunDir, Checkpoint]:
    """The run and the checkpoint to continue from: the file named, or the run's last, or its prev if last is broken."""
    run = run_of(path)
    if run is None:
        raise ModelError(
            f"{path} is not a run of clf train, nor a file in one.", f"Name a run's folder. {newest_runs()}"
        )
    if path.is_file():
        return run, _resumable(read_checkpoint(path))
    candidates = [candidate for candidate in (run.last, run.previous) if candidate.is_file()]
    if not candidates:
        raise ModelError(f"{run.root} has no checkpoint to continue from.", "Start a new run.")
    for candidate in candidates[:-1]:
        try:
            return run, _resumable(read_checkpoint(candidate))
        except ModelError:
            continue
    return run, _resumable(read_checkpoint(candidates[-1]))


def continued_settings(run: RunDir, resolved: Resolved) -> tuple[Settings, tuple[str, ...]]:
    """The run's own settings with the flags of this command, which may only be those that change nothing."""
    stored = read_settings(run.settings)
    notes: list[str] = []
    sections = stored.model_dump()
    asked = resolved.settings.model_dump()
    for setting in settings_of("train"):
        new, old = asked[setting.section][setting.key], sections[setting.section][setting.key]
        if not resolved.given(setting.path) or new == old:
            continue
        if setting.path in INEXACT:
            notes.append(f"{setting.path} was {old} and is now {new}: the run goes on, but not bit for bit.")
        elif setting.path not in FREE and setting.section not in FREE_SECTIONS:
            raise UsageError(
                f"{setting.path} is {old} in {run.root} and cannot become {new} when the run is resumed.",
                "Leave the flag out, or start a new run from its weights with --init-from.",
            )
        sections[setting.section][setting.key] = new
    sections["train"]["resume"] = None
    return Settings.model_validate(sections), tuple(notes)


def _resumable(checkpoint: Checkpoint) -> Checkpoint:
    if not checkpoint.resumable:
        raise ModelError(
            f"{checkpoint.path} holds no optimiser, so a run cannot continue from it.",
            "Use the run's last.ckpt, or start a new run from these weights with --init-from.",
        )
    return checkpoint
