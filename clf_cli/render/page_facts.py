"""What the page about a run says in words: the first numbers, the facts, what to know, the commands to type."""

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from clf_cli.engine.report_page import ReportPage
from clf_cli.engine.stored_reports import Scores
from clf_cli.render.text import counted, decimal, percent

SPLIT_NAMES = {"val": "Validation", "test": "Test"}
STATUS = {
    "finished": "finished",
    "running": "not finished",
    "interrupted": "interrupted",
    "failed": "failed",
}


@dataclass(frozen=True)
class Figure:
    """A number that the page shows large, what it is, and two lines on it."""

    title: str
    value: str
    notes: tuple[str, str]


@dataclass(frozen=True)
class Command:
    """A command to copy, and what it is for."""

    purpose: str
    text: str


def headline(page: ReportPage) -> list[Figure]:
    """Accuracy on val and test with their intervals, then what else the best epoch scored."""
    found = [_accuracy(split, scores) for split, scores in page.scores.items()]
    if (scores := next(iter(page.scores.values()), None)) is not None:
        split = SPLIT_NAMES[scores.data.split].lower()
        error, loss = percent(_value(scores, "ece")), decimal(_value(scores, "loss"), 3)
        found.append(Figure("Macro F1", percent(_value(scores, "f1_macro")), ("mean over the classes", split)))
        found.append(Figure("Calibration error", error, (f"loss {loss}", split)))
    return found


def lede(page: ReportPage) -> str:
    """The page's first sentence: what was trained on what."""
    root = page.settings.data.root
    on = f" on {root.name}" if root is not None else ""
    if page.data is None:
        return f"{page.settings.model.arch}{on}"
    size = f"{counted(len(page.data.counts), 'class')}, {counted(page.data.images, 'image')}"
    return f"{page.settings.model.arch}{on}: {size}"


def notices(page: ReportPage) -> list[tuple[str, str]]:
    """(kind, sentence) of what a reader has to know before the numbers: kinds are `bad`, `warn` and `info`."""
    found = []
    status = page.record.status
    if status == "running":
        found.append(
            ("warn", "This run has not finished: it is still training, or was killed. Its numbers may change.")
        )
    elif status != "finished":
        found.append(("warn", f"This run ended early ({status}). Its weights are those of the best epoch so far."))
    if not page.record.validated:
        found.append(("warn", "Never validated: no image tells how good these weights are. The last ones were kept."))
    if not page.scores and page.record.validated and status == "finished":
        found.append(("info", "The run kept no scores of its best epoch."))
    if page.train is not None and page.train.export_error:
        found.append(("bad", f"The export failed: {page.train.export_error}"))
    if page.export is not None and not page.export.passed:
        found.append(("bad", f"The ONNX file did not pass its check: {'; '.join(page.export.reasons)}."))
    if page.data is not None:
        counts = {
            severity: sum(f["severity"] == severity for f in page.data.findings) for severity in ("error", "warning")
        }
        if any(counts.values()):
            said = [counted(count, name) for name, count in counts.items() if count]
            found.append(("info", f"The data have {' and '.join(said)}: see below."))
    return found


def facts(page: ReportPage) -> dict[str, list[tuple[str, str]]]:
    """(name, value) pairs by section."""
    return {
        "summary": [fact for fact in _summary(page) if fact[1]],
        "data": list(_data(page)) if page.data is not None else [],
        "calibration": list(_calibration(page)),
        "export": list(_export(page)),
        "contract": list(_contract(page)),
        "environment": list(_environment(page)),
    }


def commands(page: ReportPage) -> list[Command]:
    """What to type, in the folder from which the run was started."""
    run = shlex.quote(page.path)
    settings, onnx = shlex.quote(f"{page.path}/settings.toml"), shlex.quote(f"{page.path}/export/model.onnx")
    split = "" if "val" in page.scores else " --split test" if "test" in page.scores else " --split train"
    found = [
        Command("The same run again, with the same settings", f"clf train --config {settings}"),
        Command("The command that was typed", shlex.join(page.record.command)),
    ]
    if page.record.status != "finished":
        found.append(Command("Go on with this run", f"clf train --resume {run}"))
        return found
    found.append(Command("Score it again", f"clf evaluate {run}{split}"))
    if page.contract is not None:
        found.append(Command("Check the ONNX file against its checkpoint", f"clf validate-onnx {onnx}{split}"))
        found.append(Command("Ask the ONNX file about images of your own", f"clf predict {onnx} IMAGES"))
    found.append(Command("Write this page again", f"clf report {run}"))
    return found


def size_text(count: float) -> str:
    """Bytes as people read them, in powers of ten."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count:.0f} bytes"


def time_text(seconds: float) -> str:
    """`41 s`, `18 min 15 s`, `3 h 5 min`, `2 d 4 h`."""
    whole = round(seconds)
    for big, small, length, part in (("d", "h", 86_400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {big} {rest} {small}" if rest else f"{whole // length} {big}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"


def _scaled(count: float) -> str:
    """`171 M`."""
    unit, power = ("G", 9) if count >= 1e9 else ("M", 6)
    return f"{count / 10**power:.3g} {unit}"


def _accuracy(split: str, scores: Scores) -> Figure:
    low, high = scores.intervals.get("acc_top1", (math.nan, math.nan))
    between = f"95 %: {100 * low:.1f} to {percent(high)}" if math.isfinite(low) else ""
    notes = (counted(scores.data.images, "image"), between)
    return Figure(f"{SPLIT_NAMES[split]} accuracy", percent(_value(scores, "acc_top1")), notes)


def _value(scores: Scores, name: str) -> float:
    return scores.values.get(name, math.nan)


def _summary(page: ReportPage) -> Iterator[tuple[str, str]]:
    model, train, history = page.model, page.train, page.history
    yield "Network", page.settings.model.arch
    if model is not None:
        yield "Parameters", f"{model.parameters:,} ({size_text(model.megabytes * 1e6)})"
        size = f"{model.preprocess['width']} × {model.preprocess['height']} px"
        yield "Input", f"{size}, {_scaled(model.multiply_adds)} multiply-adds"
    yield "Started from", _origin(page)
    weights = next((scores.model.weights for scores in page.scores.values()), None)
    yield "Weights that scored", {"ema": "moving average", "live": "as trained", None: ""}[weights]
    if history is not None:
        early = ", stopped early" if train is not None and train.stopped_early else ""
        planned = page.settings.optim.epochs
        of = f" of {planned}" if planned != len(history.epochs) else ""
        yield "Epochs", f"{len(history.epochs)}{of}{early}"
    if history is not None and history.best_epoch is not None:
        yield "Best epoch", f"{history.best_epoch}, by {history.monitor}"
    yield "Training time", time_text(page.seconds) if page.seconds is not None else ""
    for split, scores in page.scores.items():
        top5 = _value(scores, "acc_top5")
        yield f"{SPLIT_NAMES[split]} top-5", percent(top5) if math.isfinite(top5) else ""
    yield "Started", started(page)


def started(page: ReportPage) -> str:
    """`2026-11-20 09:36 UTC`, empty where the run did not write it."""
    return f"{page.record.started[:16].replace('T', ' ')} UTC" if page.record.started else ""


def _origin(page: ReportPage) -> str:
    model, first = page.settings.model, page.settings.train.init_from
    if first is not None:
        return f"checkpoint {first.name}"
    if model.weights is not None:
        return f"own weights, {model.weights.stem}"
    return "timm's published weights" if model.pretrained else "random weights"


def _data(page: ReportPage) -> Iterator[tuple[str, str]]:
    data = page.data
    assert data is not None
    yield "Images", f"{data.images:,} in {counted(len(data.counts), 'class')}"
    for name, (low, median, high) in (("Width", data.width), ("Height", data.height)):
        if math.isfinite(median):
            yield name, f"{low:g} to {high:g} px, median {median:g} px"
    yield (
        "Files",
        f"{', '.join(f'{count:,} {name}' for name, count in data.formats.items())}; {size_text(data.total_bytes)}",
    )
    if math.isfinite(data.imbalance_ratio):
        yield "Largest to smallest class", f"{data.imbalance_ratio:.1f} to 1 in train"
    yield "Duplicates", counted(data.duplicates, "row") if data.duplicates else "none"
    if data.rotated:
        yield "Turned by EXIF", counted(data.rotated, "image")
    yield "Fingerprint", data.fingerprint


def _calibration(page: ReportPage) -> Iterator[tuple[str, str]]:
    found = page.calibration
    if found is None:
        return
    yield "Temperature", decimal(found.temperature, 3)
    yield "Error before", percent(found.ece_before)
    yield "Error after", percent(found.ece_after)
    yield "Wanted precision", percent(found.target_precision)
    yield "Precision reached", percent(found.precision)
    yield "Images answered", percent(found.coverage)


def _export(page: ReportPage) -> Iterator[tuple[str, str]]:
    export = page.export
    if export is None:
        return
    yield "File", f"export/model.onnx, {size_text(export.bytes)}"
    yield "Opset", str(export.opset)
    yield "Nodes", f"{export.nodes:,}"
    yield "Input", " × ".join(export.input_shape)
    yield "Output", " × ".join(export.output_shape)
    yield "Compared with", ", ".join(export.compared_with)


def _contract(page: ReportPage) -> Iterator[tuple[str, str]]:
    contract = page.contract
    if contract is None:
        return
    p = contract.preprocess
    yield "Labels", f"{len(contract.labels):,}"
    yield "Output", contract.output
    kept = f", middle {percent(p.crop_share, 0)}" if p.crop_share < 1 else ""
    yield "Resize", f"{p.resize_mode} to {p.width} × {p.height}, {p.interpolation}{kept}"
    yield "Mean", ", ".join(f"{value:g}" for value in p.mean)
    yield "Deviation", ", ".join(f"{value:g}" for value in p.std)
    if contract.score is not None and contract.score.value is not None:
        yield "Score", f"{contract.score.metric} {contract.score.value:.4f}"
    yield "Temperature", "not calibrated" if contract.temperature is None else f"{contract.temperature:.3f}"


def _environment(page: ReportPage) -> Iterator[tuple[str, str]]:
    record = page.record
    yield "Device", record.device
    yield "Precision", record.precision
    if record.compile == "on":
        yield "Training steps", "compiled"
    yield "Threads, workers", f"{record.threads}, {record.workers}"
    yield "Seed", str(record.seed)
    yield "Run id", record.run_id
    yield from page.versions.items()
