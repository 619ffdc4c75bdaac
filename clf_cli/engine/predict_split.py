"""What a classifier says of every labelled image of a split."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from clf_cli.data.dataset import Dataset
from clf_cli.data.images import open_image
from clf_cli.data.samples import Sample, printable
from clf_cli.engine.read_ahead import inputs_ahead
from clf_cli.errors import DataError
from clf_cli.models.classifier import Classifier
from clf_cli.values.labels import Labels, shown
from clf_cli.values.predictions import FloatArray, IntArray, Predictions, Skipped
from clf_cli.values.progress import Progress, silent


def predict_split(
    classifier: Classifier, dataset: Dataset, split: str, workers: int = 1, progress: Progress = silent
) -> Predictions:
    """Logits of the split's images in their order, in the batches that validation during training sees.

    `workers` threads decode; two batches of images are in memory at most. Raises DataError (exit 3) for a split without
    images, for classes that the model lacks, and for images that can no longer be read, all of them listed.
    """
    return predict_alike((classifier,), dataset, split, workers, progress)[0]


def predict_alike(
    classifiers: Sequence[Classifier], dataset: Dataset, split: str, workers: int = 1, progress: Progress = silent
) -> tuple[Predictions, ...]:
    """As `predict_split`, of several models with equal labels and preprocessing: each image is read once for all."""
    first = classifiers[0]
    samples = dataset.need(split)
    targets = _targets(samples, first.labels)
    logits: list[list[FloatArray]] = [[] for _ in classifiers]
    lost: list[Skipped] = []

    ahead = inputs_ahead(samples, lambda sample: open_image(dataset.root / sample.path), first.preprocess, workers)
    with closing(ahead), progress(f"Predicting {split}", len(samples)) as advance:
        for batch in ahead:
            told = zip(batch.items, batch.reasons, strict=True)
            lost += [Skipped(sample.path, str(reason)) for sample, reason in told if reason is not None]
            if not lost:
                for classifier, answers in zip(classifiers, logits, strict=True):
                    answers.append(classifier.logits(batch.inputs))
            advance(len(batch.items))
    if lost:
        raise _unreadable(dataset, lost)
    paths, skipped = tuple(sample.path for sample in samples), dataset.skipped_in(split)
    return tuple(Predictions(paths, targets, np.concatenate(own), first.labels, skipped) for own in logits)


def _unreadable(dataset: Dataset, lost: Sequence[Skipped]) -> DataError:
    lines = "".join(f"\n  {printable(image.path)}: {image.reason}" for image in lost)
    count = "1 image" if len(lost) == 1 else f"{len(lost)} images"
    return DataError(
        f"{count} of {dataset.root} can no longer be read, so nothing was scored:{lines}",
        "Mend or remove them, or leave unreadable images out with --on-bad-image skip.",
    )


def _targets(samples: Sequence[Sample], labels: Labels) -> IntArray:
    """(N,) index of each sample's class in the model's labels, by name."""
    unknown = sorted({sample.label for sample in samples} - set(labels))
    if unknown:
        names = ", ".join(shown(name) for name in unknown)
        raise DataError(
            f"The model does not know {'this class' if len(unknown) == 1 else 'these classes'} of the data: {names}.",
            "Leave their images out with --on-unknown-class skip, or name other data.",
        )
    return np.array([labels.indices[sample.label] for sample in samples], dtype=np.int64)
