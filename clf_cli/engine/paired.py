"""Two models asked about the same images."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from clf_cli.data.checks import known
from clf_cli.data.dataset import Dataset, accepted
from clf_cli.engine.predict_split import predict_split
from clf_cli.models.classifier import Classifier
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions, Skipped
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import FindingJson, finding


def answerable(dataset: Dataset, labels: Labels, policy: Literal["error", "skip"], owner: str) -> Dataset:
    """The images whose class is one of `labels`, the other model's. Raises DataError (exit 3) unless policy is skip."""
    checked = known(dataset.samples, labels, policy, owner)
    skipped = tuple((left.sample.split or "", Skipped(left.sample.path, left.reason)) for left in checked.left)
    return accepted(
        replace(
            dataset,
            samples=checked.kept,
            skipped=(*dataset.skipped, *skipped),
            left_out=(*dataset.left_out, *(left.sample for left in checked.left)),
            findings=(*dataset.findings, *checked.findings),
        )
    )


def predict_both(
    a: Classifier, b: Classifier, dataset: Dataset, split: str, workers: int = 1, progress: Progress = silent
) -> tuple[Predictions, Predictions]:
    """What both say of the same images, in one order; decoded once where both preprocess alike.

    Raises DataError (exit 3) like `predict_split`.
    """
    if a.preprocess != b.preprocess:
        return predict_split(a, dataset, split, workers, progress), predict_split(b, dataset, split, workers, progress)
    both = replace(a, logits=lambda images: np.concatenate((a.logits(images), b.logits(images)), axis=1))
    found, classes = predict_split(both, dataset, split, workers, progress), len(a.labels)
    targets = [b.labels.indices[a.labels.names[target]] for target in found.targets]
    theirs = np.array(targets, dtype=np.int64)
    return (
        replace(found, logits=found.logits[:, :classes]),
        replace(found, logits=found.logits[:, classes:], labels=b.labels, targets=theirs),
    )


def pair_findings(named: Sequence[tuple[str, Classifier]], fingerprint: str) -> tuple[FindingJson, ...]:
    """What the report on each model would say, with its name, and a warning where only one learnt from these data."""
    found = [{**own, "path": name} for name, classifier in named for own in classifier.findings]
    trained_on = [classifier.data_fingerprint for _, classifier in named]
    for (name, _), own in zip(named, trained_on, strict=True):
        if fingerprint in trained_on and own not in (None, fingerprint):
            reason = "trained on other data or splits than the other model: it may have learnt from these very images"
            found.append(finding("data", reason, name))
    return tuple(found)
