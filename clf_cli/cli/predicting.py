"""The work of `clf predict`, whoever read its command line (commands/predict.py, direct.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clf_cli.settings.resolved import Resolved


@dataclass(frozen=True)
class Asked:
    """What the command line says beside the settings."""

    model: Path
    images: Sequence[str] = ()
    recursive: bool = False
    null: bool = False
    written: Literal["table", "csv", "jsonl"] | None = None
    top: int = 5
    calibration: bool = True
    labels: Path | None = None
    preprocess: Path | None = None
    as_json: bool = False


def predict_named(resolved: Resolved, asked: Asked) -> None:
    """Writes what the model says of each image. Raises ClfError."""
    from clf_cli.cli.console import say, warn
    from clf_cli.cli.named_images import named_images
    from clf_cli.cli.opened_model import opened_model, say_model_notes
    from clf_cli.cli.prediction_lines import refuse_unreadable, write_predictions, written_as
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.predictions import is_calibrated, predict_images, uncalibrated
    from clf_cli.engine.stored_calibration import calibrated
    from clf_cli.models.onnx_given import Given

    form = written_as(asked.written, asked.as_json)
    named = named_images(asked.images, asked.recursive, asked.null)
    classifier = opened_model(resolved, asked.model, Given(asked.labels, asked.preprocess))
    say_model_notes(resolved, classifier)
    classifier, note = calibrated(classifier) if asked.calibration else (uncalibrated(classifier), None)
    if note is not None:
        (say if is_calibrated(classifier) else warn)(note)
    top = min(asked.top, len(classifier.labels))
    batches = predict_images(classifier, named.images, top, scan_threads(resolved.settings.compute.workers))
    tally = write_predictions(batches, named.count, form, classifier, top)
    if resolved.settings.data.on_bad_image == "error":
        refuse_unreadable(tally)
