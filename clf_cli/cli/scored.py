"""What a command on a model works with: the model, the images that it is asked about, and what it says of them."""

from dataclasses import dataclass
from pathlib import Path

from clf_cli.cli.console import progress, say
from clf_cli.cli.model_data import model_data
from clf_cli.cli.opened_model import opened_model
from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import WHOLE
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.predict_split import predict_split
from clf_cli.errors import UsageError
from clf_cli.models.classifier import Classifier
from clf_cli.models.onnx_given import NOTHING, Given
from clf_cli.settings.resolved import Resolved
from clf_cli.values.predictions import Predictions
from clf_cli.values.report import DataRef, Report, Result


@dataclass(frozen=True)
class Scored:
    """A model's predictions on a split, and how reports name both."""

    classifier: Classifier
    dataset: Dataset
    predictions: Predictions
    data: DataRef

    def report(self, result: Result) -> Report:
        return Report(result, self.classifier.ref, self.data, findings=self.classifier.findings)


def opened(resolved: Resolved, model: Path, given: Given = NOTHING) -> tuple[Classifier, Dataset]:
    """The model, and the images of --data or of its run.

    Raises like `opened_model`, DataError (exit 3), UsageError (exit 2) where it lies in no run and --data is not given.
    """
    classifier = opened_model(resolved, model, given)
    dataset = model_data(resolved, classifier)
    if dataset is None:
        raise UsageError(
            f"{classifier.path} does not lie in a run, so its data are not known.", "Name images with --data DIR."
        )
    say_other_data(dataset, classifier, "the model")
    return classifier, dataset


def say_other_data(dataset: Dataset, classifier: Classifier, name: str) -> None:
    """That the images are others than those of training; of data used whole, which have no splits to compare, that the
    same may be among them."""
    trained_on = classifier.data_fingerprint
    if trained_on is None or dataset.fingerprint == trained_on:
        return
    differs = f"its fingerprint is {dataset.fingerprint}, that of the training data {trained_on}"
    if dataset.split_name("val") == WHOLE:
        say(f"{dataset.root} is used whole, so images that {name} was trained on may be among them: {differs}.")
    else:
        say(f"{dataset.root} is not what {name} was trained on: {differs}.")


def scored(resolved: Resolved, model: Path, split: str, given: Given = NOTHING) -> Scored:
    """What the model says of every image of the split; raises like `opened`."""
    classifier, dataset = opened(resolved, model, given)
    return scored_on(resolved, classifier, dataset, split)


def scored_on(resolved: Resolved, classifier: Classifier, dataset: Dataset, split: str) -> Scored:
    """What an opened model says of every image of a split. Raises DataError (exit 3)."""
    workers = scan_threads(resolved.settings.compute.workers)
    predictions = predict_split(classifier, dataset, split, workers, progress)
    return Scored(classifier, dataset, predictions, dataset.ref(split))
