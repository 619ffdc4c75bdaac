"""The calibration that a run keeps in its reports, on the model that it was made for."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from clf_cli.models.classifier import Classifier
from clf_cli.reading import read_json


def model_digest(path: Path) -> str:
    """Of the file's bytes: a run that went on has other weights under the same names."""
    import hashlib  # 2 ms, of use to a run's checkpoint alone

    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def calibrated(classifier: Classifier) -> tuple[Classifier, str | None]:
    """A checkpoint with the temperature and thresholds that its run keeps for these very weights, and a line on them.

    Any other model comes back as it is: an ONNX file has its own in its contract. Where the run's calibration is of
    other weights or cannot be read, the line says so.
    """
    if classifier.run is None or classifier.path.suffix.lower() == ".onnx":
        return classifier, None
    file = classifier.run.report("calibration")
    if not file.is_file():
        return classifier, None
    where, run = _from_here(file), _from_here(classifier.run.root)
    again = f"`clf calibrate {shlex.quote(str(run))}` makes it anew."
    try:
        report = read_json(file)
        result = report["result"]
        same = report["model"] == asdict(classifier.ref) and result["model_digest"] == model_digest(classifier.path)
        if not same:
            return classifier, f"{where} is of other weights and is not used. {again}"
        temperature, thresholds = float(result["temperature"]), _thresholds(result, classifier)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        return classifier, f"{where} cannot be read and is not used: {type(error).__name__} {error}. {again}"
    return replace(classifier, temperature=temperature, thresholds=thresholds), f"Calibrated by {where}."


def _from_here(path: Path) -> Path:
    """As a person in this folder would type it, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) and path != here else path


def _thresholds(result: dict[str, Any], classifier: Classifier) -> tuple[float | None, ...]:
    """In the order of the model's labels."""
    of_class = {row["class"]: row["threshold"] for row in result["per_class"]}
    return tuple(of_class[label] for label in classifier.labels)
