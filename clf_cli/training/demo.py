"""`clf demo`: drawn data, a small network from scratch, a checked ONNX file; every step is that of a command."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clf_cli.data.dataset import load_run_dataset
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.onnx_check_result import OnnxCheckResult
from clf_cli.engine.onnx_evidence import open_candidate, reference_for, validate_onnx
from clf_cli.engine.onnx_provider import PROVIDERS
from clf_cli.engine.synth import SynthResult, plan_set
from clf_cli.engine.synth_write import check_out, write_synth
from clf_cli.errors import ExportError
from clf_cli.models.compute import resolve_compute
from clf_cli.models.onnx import onnx_classifier
from clf_cli.render.onnx_check import table
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.root import Settings, all_settings
from clf_cli.settings.sections import (
    AugmentSection,
    ComputeSection,
    DataSection,
    ModelSection,
    OptimSection,
    SynthSection,
    TrainSection,
)
from clf_cli.training.result import TrainResult
from clf_cli.training.train import train
from clf_cli.training.watcher import Watcher
from clf_cli.values.progress import Progress
from clf_cli.values.run_dir import RunDir

SOURCE = "clf demo"  # where the recipe's settings come from, in the run's settings.toml
ASKED = ("compute.seed", "compute.threads")  # what a person may choose
THREADS = 1  # a second one makes so small a network slower: it sleeps and wakes for each layer


@dataclass(frozen=True)
class DemoResult:
    """What each step made; `train` is the report of the run, `check` the answer of `clf validate-onnx`."""

    synth: SynthResult
    train: TrainResult
    check: OnnxCheckResult

    @property
    def chance(self) -> float:
        """Val accuracy of always answering the most frequent class, 0 to 1."""
        counts = self.synth.plan.counts["val"]
        return max(counts.values()) / sum(counts.values())


def demo_settings(out: Path, asked: Resolved) -> Resolved:
    """The whole recipe, about 50 CPU-seconds. Of `asked` only the seed and the threads count."""
    compute = asked.settings.compute
    settings = Settings(
        data=DataSection(root=out / "data"),
        model=ModelSection(arch="test_resnet", pretrained=False, image_size=48),
        augment=AugmentSection(preset="ocr"),
        optim=OptimSection(epochs=12, lr=4e-3),
        train=TrainSection(out=out, name="run"),
        compute=ComputeSection(
            seed=compute.seed,
            device="cpu",
            threads=THREADS if compute.threads == "auto" else compute.threads,
            workers=0,
        ),
        synth=SynthSection(images=2400, classes=12, imbalance=4.0),
    )
    tables = dict(settings)
    changed = [s.path for s in all_settings() if dict(tables[s.section])[s.key] != s.default]
    return Resolved(settings, {path: asked.origin.get(path, SOURCE) if path in ASKED else SOURCE for path in changed})


def demo(recipe: Resolved, watcher: Watcher, progress: Progress, command: Sequence[str]) -> DemoResult:
    """Draws, trains, exports and validates with the settings of `recipe`.

    Raises UsageError (exit 2) when the run's folder exists, RunError (exit 6) where it cannot be made, ExportError
    (exit 5) when there is no ONNX file to validate. An ONNX file that answers differently is told in the result.
    """
    settings, data = recipe.settings, recipe.settings.data.root
    assert data is not None
    check_out(settings.train.out, None)
    watcher.say(f"Step 1 of 4: draw {settings.synth.images:,} jersey numbers of {settings.synth.classes} classes.")
    drawn = write_synth(plan_set(settings.synth, settings.compute.seed), data, settings.compute.seed, progress)
    watcher.say(f"Steps 2 and 3 of 4: train {settings.model.arch} from scratch, and export the best weights.")
    trained = train(recipe, watcher, progress, command)
    if trained.onnx is None:
        raise ExportError(
            trained.export_error or "Nothing was exported.", f"Try again with: clf export {shlex.quote(trained.run)}"
        )
    watcher.say("Step 4 of 4: predict the val images with the ONNX file and with the checkpoint, and compare.")
    check = checked(RunDir(Path(trained.run)), settings, progress)
    watcher.show(table(check))
    return DemoResult(drawn, trained, check)


def checked(run: RunDir, settings: Settings, progress: Progress) -> OnnxCheckResult:
    """What `clf validate-onnx` finds out about the run's ONNX file, on its val images."""
    compute, _ = resolve_compute(settings.compute)
    onnx = onnx_classifier(run.onnx, compute.threads)
    reference = reference_for(onnx, None, compute)
    dataset = load_run_dataset(run, DataSection(), onnx.labels, scan_threads(settings.compute.workers), progress)
    candidate = open_candidate(onnx, PROVIDERS["cpu"], compute.threads)
    return validate_onnx(candidate, reference, (dataset, "val"), settings.validate_onnx, compute.threads, progress)


def where_to_look(result: DemoResult) -> tuple[str, ...]:
    """What a person reads at the end: the scores beside chance, the files, and what to type next."""
    run = RunDir(Path(result.train.run))
    val, test = result.train.val, result.train.test
    assert val is not None
    assert test is not None
    epoch = run.epoch(result.train.best_epoch or 1)
    named, onnx, data = (shlex.quote(Path(path).as_posix()) for path in (run.root, run.onnx, result.synth.out))
    return (
        "",
        f"Top-1: val {val['val/acc_top1']:.1%}, test {test['test/acc_top1']:.1%}; always answering the "
        f"most frequent class gives {result.chance:.1%}. The ONNX file has val {result.check.accuracy:.1%}.",
        "",
        "Look at",
        *((f"  {run.report_page.as_posix()}  the whole run as a page for a browser",) if result.train.page else ()),
        f"  {(epoch / 'samples.png').as_posix()}  what it says of some val images",
        f"  {(epoch / 'confusion.png').as_posix()}  which numbers it takes for which",
        f"  {run.history.as_posix()}  loss and accuracy of each epoch",
        f"  {run.onnx.as_posix()}  the model, {run.onnx.stat().st_size / 1e6:.1f} MB",
        "Type next",
        f"  clf validate-onnx {onnx}",
        f"  clf confusion {named}",
        f"  clf inspect-dataset {data}",
        "Train on your own images, a folder per class",
        "  clf train --data DIR",
    )
