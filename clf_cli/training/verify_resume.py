"""`clf verify-resume`: a short run killed in mid-epoch and continued, held against the same run left alone."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.library_caches import temporary_place
from clf_cli.data.samples import Sample
from clf_cli.data.scan_threads import scan_threads
from clf_cli.data.written_manifests import write_manifest
from clf_cli.engine.onnx_child import python_module
from clf_cli.errors import ClfError, DataError, ModelError, RunError, UsageError
from clf_cli.files import write_text
from clf_cli.settings.load import read_settings
from clf_cli.settings.nearest import CACHE_DIR, PREFIX
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.root import Settings
from clf_cli.settings.sections import CallbacksSection
from clf_cli.training.schedule import plan_steps
from clf_cli.training.start import require_monitor, require_parts, require_val, with_absolute_paths
from clf_cli.training.verified import VerifyResumeResult, compared
from clf_cli.training.watcher import Watcher
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import RunDir
from clf_cli.values.run_record import read_record

EPOCHS = 2
WHOLE_STEPS = 2  # of an epoch; one more has what is left: fewer batches, and a smaller last one
VAL_IMAGES = 64
CHILD_SECONDS = 900.0
KILLED = (-9, -15, 137)
_ERRORS: dict[int, type[ClfError]] = {error.exit_code: error for error in (UsageError, DataError, ModelError)}


@dataclass(frozen=True)
class Trial:
    """What the short runs are made of; `folder` is temporary, `kill_after` an optimiser step."""

    folder: Path
    settings_file: Path
    settings: Settings
    train_images: int
    val_images: int
    steps: int
    kill_after: int


def verify_resume(resolved: Resolved, watcher: Watcher, progress: Progress) -> VerifyResumeResult:
    """Trains a few steps of these settings in processes of their own; writes nothing that stays.

    Raises what a run raises before its first step, and RunError (exit 6) where a short run fails.
    """
    settings = with_absolute_paths(resolved.settings)
    if settings.data.root is None:
        raise UsageError("No data given.", "Say --data DIR, or name a run.")
    require_parts(settings)
    dataset = load_dataset(settings.data, settings.compute.seed, scan_threads(settings.compute.workers), progress)
    require_val(dataset, settings)
    require_monitor(dataset, settings)
    with tempfile.TemporaryDirectory(prefix="clf-verify-", dir=temporary_place()) as folder:
        return proven(prepared(Path(folder), settings, dataset), watcher)


def proven(trial: Trial, watcher: Watcher) -> VerifyResumeResult:
    """Runs and compares the short runs; a third one, left alone too, where they differ."""
    began = time.monotonic()
    images = f"{EPOCHS} epochs of {trial.train_images:,} train images"
    watcher.say(f"1 of 3: {trial.steps} steps in {images}, left alone ...")
    whole = left_alone(trial, "whole")
    fix_auto(trial, read_settings(whole.settings))
    watcher.say(f"2 of 3: the same, killed with SIGKILL after step {trial.kill_after} ...")
    killed = kill(trial)
    checkpoint = killed.step_checkpoint(trial.kill_after)
    watcher.say(f"3 of 3: continued from {checkpoint.name} ...")
    run_child(trial, ["train", "--resume", str(checkpoint)])
    parts = compared(whole, killed)
    equal, repeats = not any(part.different for part in parts), None
    if not equal:
        watcher.say("They differ. Once more, left alone, to see whether the set-up repeats itself at all ...")
        repeats = not any(part.different for part in compared(whole, left_alone(trial, "again")))
    record = read_record(whole)
    return VerifyResumeResult(
        equal=equal,
        arch=trial.settings.model.arch,
        device=record.device,
        precision=record.precision,
        threads=record.threads,
        workers=record.workers,
        train_images=trial.train_images,
        val_images=trial.val_images,
        epochs=EPOCHS,
        steps=trial.steps,
        killed_after=trial.kill_after,
        seconds=round(time.monotonic() - began, 1),
        parts=parts,
        repeats=repeats,
        reasons=() if equal else reasons(repeats, record.device, trial.settings.compute.deterministic),
    )


def reasons(repeats: bool | None, device: str, deterministic: bool) -> tuple[str, ...]:
    """What probably made the two runs differ, in sentences."""
    if repeats:
        return ("Two runs that were left alone agree, so it is the resumption: please report this as a bug of clf.",)
    found = ["Two runs that were left alone differ as well: this set-up does not repeat itself."]
    if device.startswith("cuda") and not deterministic:
        found.append("Many kernels of a GPU add in another order each time: --deterministic takes others.")
    elif device != "cpu":
        found.append(f"Some kernels of {device} have no deterministic form.")
    else:
        found.append("On a CPU look for other work on its cores that changes the threads, or try --threads 1.")
    found.append("Its runs can be continued all the same: the same images in the same order, with other rounding.")
    return tuple(found)


def prepared(folder: Path, settings: Settings, dataset: Dataset) -> Trial:
    """The images and settings of the short runs, written into `folder`."""
    optim = settings.optim
    if optim.batch_size == "auto":  # whatever part of it fits, a step is of the whole effective batch
        optim = optim.model_copy(update={"batch_size": optim.images_per_batch, "accumulate": 1})
    batch = optim.images_per_batch
    train = spread(dataset.split("train"), WHOLE_STEPS * batch * optim.accumulate + max(2, batch // 2))
    labels = {sample.label for sample in train}
    val = spread(tuple(sample for sample in dataset.split("val") if sample.label in labels), VAL_IMAGES)
    manifest = folder / "images.jsonl"
    write_manifest(manifest, dataset.root, (*train, *val), {"by": "clf verify-resume"})
    short = shortened(settings, folder, manifest)
    write_text(folder / "settings.toml", Resolved(short, {}).to_toml())
    batches = -(-len(train) // batch)
    batches -= len(train) % batch == 1 and batches > 1  # a last batch of one image is left out
    plan = plan_steps(optim.model_copy(update={"epochs": EPOCHS}), batches)
    kill_after = plan.per_epoch + 1 if plan.per_epoch > 1 else 1
    return Trial(folder, folder / "settings.toml", settings, len(train), len(val), plan.total, kill_after)


def shortened(settings: Settings, folder: Path, manifest: Path) -> Settings:
    """The same settings for two epochs of the images in `manifest`, with checkpoints of every step and no pictures."""
    optim = settings.optim
    warmup = optim.warmup_epochs if optim.warmup_epochs == "auto" else min(1.0, optim.warmup_epochs)
    switches = {name: False for name, field in CallbacksSection.model_fields.items() if field.annotation is bool}
    switches |= {name: dict(settings.callbacks)[name] for name in ("early_stopping", "lr_log")} | {"checkpoints": True}
    train = {"out": folder, "name": None, "resume": None, "init_from": None, "allow_drift": (), "tracker": ("csv",)}
    return settings.model_copy(
        update={
            "data": settings.data.model_copy(update={"root": manifest, "subset": 1.0}),
            "optim": optim.model_copy(
                update={"epochs": EPOCHS, "freeze_epochs": min(1, optim.freeze_epochs), "warmup_epochs": warmup}
            ),
            "train": settings.train.model_copy(update={**train, "checkpoint_every_steps": 1}),
            "callbacks": settings.callbacks.model_copy(update=switches),
            "export": settings.export.model_copy(update={"enabled": False}),
        }
    )


def spread(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """At most `count` of them, or one of each class where that is more: in turns from every class."""
    by_class: dict[str, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.label, []).append(sample)
    longest = max((len(rows) for rows in by_class.values()), default=0)
    turns = [rows[turn] for turn in range(longest) for rows in by_class.values() if turn < len(rows)]
    return tuple(turns[: max(count, len(by_class))])


def fix_auto(trial: Trial, first: Settings) -> None:
    """Gives the other short runs what `auto` became in the first: a moment later another size may fit, another
    precision be faster, or compiling pay."""
    settings, asked = read_settings(trial.settings_file), trial.settings
    if asked.optim.batch_size == "auto":
        sizes = {"batch_size": first.optim.batch_size, "accumulate": first.optim.accumulate}
        settings = settings.model_copy(update={"optim": settings.optim.model_copy(update=sizes)})
    if asked.compute.precision == "auto":
        compute = settings.compute.model_copy(update={"precision": first.compute.precision})
        settings = settings.model_copy(update={"compute": compute})
    if asked.compute.compile == "auto":
        compute = settings.compute.model_copy(update={"compile": first.compute.compile})
        settings = settings.model_copy(update={"compute": compute})
    write_text(trial.settings_file, Resolved(settings, {}).to_toml())


def left_alone(trial: Trial, name: str) -> RunDir:
    """A short run to its end."""
    run_child(trial, fresh(trial, name))
    return RunDir(trial.folder / name)


def kill(trial: Trial) -> RunDir:
    """The same run, which ends itself with SIGKILL once its checkpoint is there."""
    run = RunDir(trial.folder / "killed")
    file = run.step_checkpoint(trial.kill_after)
    run_child(trial, fresh(trial, "killed"), file)
    return run


def fresh(trial: Trial, name: str) -> list[str]:
    """The command line of a short run."""
    first = trial.settings.train.init_from
    start = [] if first is None else ["--init-from", str(first.expanduser().absolute())]
    return ["train", "--config", str(trial.settings_file), "--name", name, *start]


def run_child(trial: Trial, arguments: Sequence[str], killed_at: Path | None = None) -> None:
    """Runs clf in a process that ends with this one, without the settings of its environment. Raises its error.

    It kills itself once the file `killed_at` is there.
    """
    places = (str(os.getpid()), "" if killed_at is None else str(killed_at))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name == CACHE_DIR}
    try:
        done = subprocess.run(
            [*python_module("clf_cli.training.verify_child"), *places, *arguments],
            cwd=trial.folder,
            env=kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"A short run did not end within {CHILD_SECONDS / 60:.0f} minutes.", "Try a smaller --batch-size."
        ) from error
    if done.returncode not in ((0,) if killed_at is None else KILLED):
        raise _ERRORS.get(done.returncode, RunError)(
            f"A short run ended with exit code {done.returncode}.\n{_told(done.stderr)}",
            "The same command of clf train would end so, too; see what it says.",
        )


def _told(stderr: str) -> str:
    """From the line of the error on, else the last lines."""
    lines = stderr.strip().splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("Error: ")), max(0, len(lines) - 5))
    return "\n".join(lines[first:])
