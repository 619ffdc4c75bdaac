"""Continuing a run exactly: its settings, its data, its compute, from its newest whole checkpoint."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from clf_cli.data.codes import CODES
from clf_cli.data.dataset import Dataset, load_resumed_dataset
from clf_cli.data.samples import RefusedDataError
from clf_cli.data.scan_threads import scan_threads
from clf_cli.errors import ModelError, UsageError
from clf_cli.models.checkpoint import Checkpoint, read_checkpoint
from clf_cli.models.compute import Compute, resolve_compute
from clf_cli.settings.load import Resolved, read_settings
from clf_cli.settings.root import Settings, settings_of
from clf_cli.training.drift import Drift, compute_drift, judged, settings_drift, to_allow, unsafe, version_drift
from clf_cli.training.drifted_data import data_drift
from clf_cli.training.image_workers import workers_again
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
        return judged(
            drifts, self.allowed, self.record.drift, str(self.run.root), start_from(self.run, self.checkpoint.path)
        )


def resumed_start(resolved: Resolved, progress: Progress, command: Sequence[str]) -> Start | NothingToDo:
    """Raises ModelError (exit 4) without a resumable checkpoint, UsageError (exit 2) with every difference that would
    change the run and was not allowed, DataError (exit 3) when that is only its data."""
    assert resolved.settings.train.resume is not None
    run, checkpoint = find_checkpoint(resolved.settings.train.resume)
    settings = merged_settings(run, resolved)
    found = Found(run, checkpoint, read_record(run), settings, resolved.settings.train.allow_drift)
    drifts = settings_drift(checkpoint.settings, settings)
    _, epochs = planned_epochs(found.record, checkpoint, settings.optim.epochs)
    longer = resolved.given("train.patience") or checkpoint.epoch < settings.optim.epochs != epochs
    if found.record.status == "finished" and not longer and not ended_in_export(run):
        found.judge(drifts)
        return NothingToDo(run, checkpoint.epoch)
    require_parts(settings)
    compute, compute_notes = resolve_compute(settings.compute)
    if not resolved.given("compute.threads"):
        compute = replace(compute, threads=found.record.threads)
    compute = workers_again(compute, settings.compute, found.record.workers)
    drifts += [*compute_drift(found.record, compute, machine_of(compute)), *epochs_drift(settings, epochs)]
    drifts += version_drift(recorded_versions(run), current_versions())
    dataset = resumed_dataset(found, drifts, progress)
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


def resumed_dataset(found: Found, drifts: Sequence[Drift], progress: Progress) -> Dataset:
    """The run's images. Raises DataError (exit 3); where they could be left out, with all that this needs."""
    settings = found.settings
    try:
        threads = scan_threads(settings.compute.workers)
        return load_resumed_dataset(found.run, settings.data, found.checkpoint.labels, threads, progress)
    except RefusedDataError as error:
        if any("--on-bad-image" not in CODES[finding.code].fix for finding in error.findings):
            raise
        drifts = [*drifts, Drift("data.on_bad_image", "", ""), Drift("data.fingerprint", "", "")]
        keys = ",".join([*found.allowed, *to_allow(drifts, found.allowed, found.record.drift)])
        hint = f"{error.hint} To go on without it: --on-bad-image skip --allow-drift {keys}"
        raise RefusedDataError(error.root, error.findings, error.message, hint) from error


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
        compile=compute.compile,
        machine=machine_of(compute),
        data_fingerprint=dataset.fingerprint,
        extended_from=epochs if settings.optim.epochs > epochs else record.extended_from,
        planned=planned,
        drift=record.drift | {drift.key: drift.change for drift in unsafe(drifts)},
        resumed=record.resumed + 1,
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
    if not path.is_dir():
        return run, _resumable(read_checkpoint(path))
    candidates = newest_first(run, read_record(run).resumed)
    if not candidates:
        raise ModelError(f"{run.root} has no checkpoint to continue from.", "Start a new run.")
    for candidate in candidates[:-1]:
        with suppress(ModelError):
            return run, _resumable(read_checkpoint(candidate))
    return run, _resumable(read_checkpoint(candidates[-1]))


def newest_first(run: RunDir, resumed: int) -> list[Path]:
    """What a run that was `resumed` so often may continue from: step checkpoints after last.ckpt, then last, prev and
    the other steps.

    After it by resumptions, then by steps, and by nothing that a clock says: a later step may be of a course that the
    run left when it went on from an earlier one, and the times of files are lost in copies.
    """
    ends = [path for path in (run.last, run.previous) if path.is_file()]
    steps = sorted(run.checkpoints.glob("step-*.ckpt"), reverse=True)
    if not steps:
        return ends
    end = next((place for place in map(_place, ends) if place is not None), (-1, -1))
    sought = [path for path in steps if end[0] < resumed or path > run.step_checkpoint(end[1])]
    places = {path: place for path in sought if (place := _place(path)) is not None and place > end}
    newer = sorted(places, key=places.__getitem__, reverse=True)
    return [*newer, *ends, *(path for path in steps if path not in places)]


def _place(path: Path) -> tuple[int, int] | None:
    """Of a checkpoint in its run: resumptions before it, and steps. None where no run can continue from it."""
    try:
        checkpoint = _resumable(read_checkpoint(path))
    except ModelError:
        return None
    return checkpoint.resumed, checkpoint.step


def continued_settings(run: RunDir, resolved: Resolved) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a run that begins again, and lines that tell what differs. Raises what `judged` raises."""
    stored, settings = read_settings(run.settings), merged_settings(run, resolved)
    drifts = settings_drift(stored.model_dump(mode="json"), settings)
    instead = "start a new run: this one has not trained yet."
    return settings, judged(drifts, resolved.settings.train.allow_drift, {}, str(run.root), instead)


def merged_settings(run: RunDir, resolved: Resolved) -> Settings:
    """The run's own settings under the flags of this command."""
    sections: dict[str, dict[str, Any]] = read_settings(run.settings).model_dump()
    asked: Mapping[str, Mapping[str, Any]] = resolved.settings.model_dump()
    once = ("optim.batch_size", "optim.accumulate") if resolved.settings.optim.batch_size == "auto" else ()
    if resolved.settings.compute.precision == "auto":
        once = (*once, "compute.precision")
    if resolved.settings.compute.compile == "auto":
        once = (*once, "compute.compile")
    for setting in settings_of("train"):
        if resolved.given(setting.path) and setting.path not in once:  # the run has what `auto` became
            sections[setting.section][setting.key] = asked[setting.section][setting.key]
    sections["train"] |= {"resume": None, "allow_drift": ()}
    return with_absolute_paths(Settings.model_validate(sections))


def start_from(run: RunDir, checkpoint: Path) -> str:
    """What to do where the run cannot go on from `checkpoint`."""
    weights = run.best if run.best.is_file() else checkpoint
    return f"start a new run from its weights: --init-from {quote(str(weights))}"


def _resumable(checkpoint: Checkpoint) -> Checkpoint:
    if not checkpoint.resumable:
        raise ModelError(
            f"{checkpoint.path} holds no optimiser, so a run cannot continue from it.",
            "Use the run's last.ckpt, or start a new run from these weights: "
            f"--init-from {quote(str(checkpoint.path))}",
        )
    return checkpoint
