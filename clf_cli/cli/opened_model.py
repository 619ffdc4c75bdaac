"""A model on the command line: opened as it was asked for, and what to know about it."""

from pathlib import Path

from clf_cli.cli.console import say, sentence
from clf_cli.models.classifier import Classifier, model_file, open_classifier
from clf_cli.models.compute import compute_for
from clf_cli.models.onnx_given import NOTHING, Given
from clf_cli.settings.resolved import Resolved, left_aside


def opened_model(resolved: Resolved, model: Path, given: Given = NOTHING) -> Classifier:
    """A run, checkpoint or ONNX file, opened on the device that was asked for; `given` is what it lacks.

    Raises ModelError (exit 4), UsageError (exit 2) for a `given` that cannot be used or is not needed.
    """
    file = model_file(model)
    compute, notes = compute_for(file, resolved.settings.compute)
    for note in notes:
        say(note)
    return open_classifier(file, compute=compute, given=given)


def say_model_notes(resolved: Resolved, classifier: Classifier, scores: bool = False) -> None:
    """Which settings are not used because the model decides them, and what is to know about its weights."""
    findings = () if scores and classifier.score is None else classifier.findings
    for line in (*left_aside(resolved, fixed_by(classifier)), *(finding["reason"] for finding in findings)):
        say(sentence(line))


def fixed_by(classifier: Classifier) -> dict[str, object]:
    """The settings that a trained model decides, with its own values."""
    preprocess = classifier.preprocess
    return {
        "model.arch": classifier.arch,
        "model.image_size": preprocess.width,
        "model.resize_mode": preprocess.resize_mode,
        "model.crop_share": preprocess.crop_share,
        "model.interpolation": preprocess.interpolation,
    }
