"""Continuing a run exactly: its settings, its data, its compute, from its newest whole checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clf_cli.data.dataset import Dataset, load_resumed_dataset
from clf_cli.data.scan import scan_threads
from clf_cli.errors import ModelError, UsageError
from clf_cli.models.checkpoint import Checkpoint, read_checkpoint
from clf_cli.models.compute import Compute, resolve_compute
from clf_cli.settings.load import Resolved, read_settings
from clf_cli.settings.root import Settings, settings_of
from clf_cli.training.drift import Drift, compute_drift, judged, settings_drift, unsafe, version_drift
from clf_cli.training.drifted_data import data_drift
from clf_cli.training.record import machine_of
from clf_cli.training.result import ended_in_export
from clf_cli.training.start import NothingToDo, Start, require_parts, with_absolute_paths
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import RunDir, newest_runs, run_of
from clf_cli.values.run_record import RunRecord, current_versions, read_record, recorded_versions


@dataclass(frozen=True)
class Found:
    """A run that is asked to go on: where from, what it was, and with which settings; `allowed` are keys of drift."""

    run: RunDir
    checkpoint: Checkpoint
    record: RunRecord
    settings: Settings
    allowed: tuple[str, ...]

    def judge(self, drifts: Sequence[Drift]) -> tuple[str, ...]:
        """Lines that tell them. Raises UsageError or DataError where one is not allowed."""
        return judged(drifts, self.allowed, self.record.drift, str(self.run.root))


def resumed_start(resolved: Resolved, progress: Progress, command: Sequence[str]) -> Start | NothingToDo:
    """Raises ModelError (exit 4) without a resumable checkpoint, UsageError (exit 2) with every difference that would
    change the run and was not allowed, DataError (exit 3) when that is only its data."""
    assert resolved.settings.train.resume is not None
    run, checkpoint = find_checkpoint(resolved.settings.train.resume)
    settings = merged_settings(run, resolved)
    found = Found(run, checkpoint, read_record(run), settings, resolved.settings.train.allow_drift)
    drifts = settings_drift(checkpoint.settings, settings)
    _, epochs = planned_epochs(found.record, checkpoint, settings.optim.epochs)
    found.judge(drifts)
    longer = resolved.given("train.patience") or checkpoint.epoch < settings.optim.epochs != epochs
    if found.record.status == "finished" and not longer and not ended_in_export(run):
        return NothingToDo(run, checkpoint.epoch)
    require_parts(settings)
    compute, compute_notes = resolve_compute(settings.compute)
    if not resolved.given("compute.threads"):
        compute = replace(compute, threads=found.record.threads)
    drifts += [*compute_drift(found.record, compute, machine_of(compute)), *epochs_drift(settings, epochs)]
    drifts += version_drift(recorded_versions(run), current_versions())
    found.judge(drifts)
    threads = scan_threads(settings.compute.workers)
    dataset = load_resumed_dataset(run, settings.data, checkpoint.labels, threads, progress)
    drifts += data_drift(run, dataset, settings.data, checkpoint)
    return Start(
        run=run,
        record=replace(continued_record(found, compute, dataset, drifts), command=tuple(command)),
        settings=settings,
        settings_toml=Resolved(settings, resolved.origin).to_toml(),
        compute=compute,
        dataset=dataset,
        preprocess=checkpoint.preprocess,
        checkpoint=checkpoint.path,
        notes=(
            *found.judge(drifts),
            *compute_notes,
            f"Continuing {run.root} from {checkpoint.path.name} (epoch {checkpoint.epoch}).",
        ),
        step=checkpoint.step,
    )


def continued_record(found: Found, compute: Compute, dataset: Dataset, drifts: Sequence[Drift]) -> RunRecord:
    """The record of a run that goes on, with what it goes on with."""
    record, settings = found.record, found.settings
    planned, epochs = planned_epochs(record, found.checkpoint, settings.optim.epochs)
    return replace(
        record,
        status="running",
        seed=settings.compute.seed,
        device=compute.device,
        threads=compute.threads,
        workers=compute.workers,
        precision=compute.precision,
        machine=machine_of(compute),
        data_fingerprint=dataset.fingerprint,
        extended_from=epochs if settings.optim.epochs > epochs else record.extended_from,
        planned=planned,
        drift=record.drift | {drift.key: drift.change for drift in unsafe(drifts)},
    )


def planned_epochs(record: RunRecord, checkpoint: Checkpoint, asked: int) -> tuple[dict[str, int], int]:
    """The epochs planned from each step on, with those that are asked for now, and the epochs planned until now.

    Raises UsageError (exit 2) for fewer epochs than are done.
    """
    first = checkpoint.settings["optim"]["epochs"]
    planned = record.planned or {"0": first}
    before = planned[max(planned, key=int)]
    if asked < checkpoint.epoch:
        raise UsageError(
            f"--epochs {asked} is less than the {checkpoint.epoch} epochs that {checkpoint.path} has done.",
            "Ask for more, or take the weights of an earlier epoch.",
        )
    if asked == before:
        return record.planned, before
    kept = {step: epochs for step, epochs in planned.items() if int(step) < checkpoint.step}
    return {**kept, str(checkpoint.step): asked}, before


def epochs_drift(settings: Settings, before: int) -> list[Drift]:
    """More epochs are what `--epochs` is for; fewer are another run."""
    if settings.optim.epochs == before:
        return []
    key = "optim.epochs"
    return [Drift(key, str(before), str(settings.optim.epochs), settings.optim.epochs > before)]


def find_checkpoint(path: Path) -> tuple[RunDir, Checkpoint]:
    """The run and the checkpoint to continue from: the file named, else the run's newest that is whole."""
    run = run_of(path)
    if run is None:
        raise ModelError(
            f"{path} is not a run of clf train, nor a file in one.", f"Name a run's folder. {newest_runs()}"
        )
    if path.is_file():
        return run, _resumable(read_checkpoint(path))
    candidates = newest_first(run)
    if not candidates:
        raise ModelError(f"{run.root} has no checkpoint to continue from.", "Start a new run.")
    for candidate in candidates[:-1]:
        try:
            return run, _resumable(read_checkpoint(candidate))
        except ModelError:
            continue
    return run, _resumable(read_checkpoint(candidates[-1]))


def newest_first(run: RunDir) -> list[Path]:
    """What a run may continue from: step checkpoints after last.ckpt, then last, prev and the other steps.

    After it in steps and in time: a later step may be older, where the run went on from an earlier one since, and an
    earlier step may be newer, in a copy of the folder.
    """
    ends = [path for path in (run.last, run.previous) if path.is_file()]
    steps = sorted(run.checkpoints.glob("step-*.ckpt"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    written = ends[0].stat().st_mtime_ns if ends else 0
    newer = [path for path in steps if path.stat().st_mtime_ns > written]
    if newer and ends:
        done = _steps_done(ends[0])
        newer = [path for path in newer if path > run.step_checkpoint(done)]
    return [*newer, *ends, *(path for path in steps if path not in newer)]


def _steps_done(path: Path) -> int:
    """Of a checkpoint; 0 where it cannot be read."""
    try:
        return read_checkpoint(path).step
    except ModelError:
        return 0


def continued_settings(run: RunDir, resolved: Resolved) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a run that begins again, and lines that tell what differs. Raises what `judged` raises."""
    stored, settings = read_settings(run.settings), merged_settings(run, resolved)
    drifts = settings_drift(stored.model_dump(mode="json"), settings)
    return settings, judged(drifts, resolved.settings.train.allow_drift, {}, str(run.root))


def merged_settings(run: RunDir, resolved: Resolved) -> Settings:
    """The run's own settings under the flags of this command."""
    sections: dict[str, dict[str, Any]] = read_settings(run.settings).model_dump()
    asked: Mapping[str, Mapping[str, Any]] = resolved.settings.model_dump()
    once = ("optim.batch_size", "optim.accumulate") if resolved.settings.optim.batch_size == "auto" else ()
    if resolved.settings.compute.precision == "auto":
        once = (*once, "compute.precision")
    for setting in settings_of("train"):
        if resolved.given(setting.path) and setting.path not in once:  # the run has what `auto` became
            sections[setting.section][setting.key] = asked[setting.section][setting.key]
    sections["train"] |= {"resume": None, "allow_drift": ()}
    return with_absolute_paths(Settings.model_validate(sections))


def _resumable(checkpoint: Checkpoint) -> Checkpoint:
    if not checkpoint.resumable:
        raise ModelError(
            f"{checkpoint.path} holds no optimiser, so a run cannot continue from it.",
            "Use the run's last.ckpt, or start a new run from these weights with --init-from.",
        )
    return checkpoint
