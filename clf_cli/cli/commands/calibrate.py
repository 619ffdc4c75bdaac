"""clf calibrate."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, publish, say, warn_of
from clf_cli.cli.options import JsonOption, ModelArgument, SplitOption, configured
from clf_cli.cli.places import stem_for
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.cli.scored import Scored
    from clf_cli.engine.calibration import CalibrationResult
    from clf_cli.values.onnx_files import OnnxFiles

app = typer.Typer(add_completion=False)

CopyOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Also a copy of the .onnx file that knows its calibration."),
]


@app.command()
@configured("calibrate")
def calibrate(
    resolved: Resolved,
    model: ModelArgument,
    split: SplitOption = "val",
    out: CopyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a temperature and per-class thresholds, so that a model can abstain."""
    from clf_cli.cli.scored import scored
    from clf_cli.engine.calibration import calibrate as fit
    from clf_cli.engine.metrics import need_classes
    from clf_cli.engine.onnx_calibrated import copy_source, copy_target
    from clf_cli.engine.stored_calibration import model_digest
    from clf_cli.render.calibration_files import write_calibration

    source = None if out is None else copy_source(model)
    files = None if out is None or source is None else copy_target(source, out)
    found = scored(resolved, model, split)
    need_classes(found.predictions, found.data)
    target, digest = resolved.settings.calibrate.target_precision, model_digest(found.classifier.path)
    result = fit(found.predictions, target, _was_seen(found), digest)
    report = found.report(result)
    report = replace(report, findings=(*report.findings, *result.findings))
    publish(report, as_json=as_json)
    warn_of(result.findings)
    stem = stem_for(resolved, None, model, "calibration", split)
    if stem is None and out is not None:
        stem = out.with_name(f"{out.stem}.calibration")
    for path in write_calibration(report, stem, f"{model.resolve().name}, {found.data.split}") if stem else ():
        say(f"Wrote {path}")
    if source is not None and files is not None:
        _write_copy(resolved, found, result, source, files)


def _was_seen(found: "Scored") -> bool:
    """Whether the model learnt from these images."""
    own = found.data.fingerprint == found.classifier.data_fingerprint
    return own and found.data.split in ("train", "all")


def _write_copy(
    resolved: Resolved, found: "Scored", result: "CalibrationResult", source: Path, files: "OnnxFiles"
) -> None:
    from clf_cli.cli.opened_model import opened_model
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.onnx_calibrated import Witness, write_calibrated
    from clf_cli.models.compute import compute_for

    original = found.classifier if found.classifier.path == source else opened_model(resolved, source)
    workers = scan_threads(resolved.settings.compute.workers)
    witness = Witness(found.classifier, found.dataset, found.predictions, found.data, workers)
    compute, _ = compute_for(source, resolved.settings.compute)
    write_calibrated(original, files, result, witness, compute.threads, progress)
    say(f"Wrote {files.model} with labels, golden samples and validation beside it; {source} is as it was")
