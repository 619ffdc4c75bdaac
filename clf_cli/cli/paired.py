"""What a command on two models works with: both, and what they say of the same images."""

from dataclasses import replace
from pathlib import Path

from clf_cli.cli.console import progress, say
from clf_cli.cli.model_data import model_data
from clf_cli.cli.opened_model import opened_model
from clf_cli.cli.scored import Scored, say_other_data
from clf_cli.data.checks import per_split
from clf_cli.data.dataset import Dataset
from clf_cli.data.scan_threads import scan_threads
from clf_cli.engine.paired import answerable, predict_both
from clf_cli.errors import UsageError
from clf_cli.models.classifier import Classifier
from clf_cli.render.text import counted
from clf_cli.settings.resolved import Resolved
from clf_cli.values.labels import Labels


def scored_pair(resolved: Resolved, a: Path, b: Path, split: str) -> tuple[Scored, Scored]:
    """What both models say of every image of the split of --data, else of the data of A's run, else of B's.

    Raises ModelError (exit 4), DataError (exit 3) for classes that one of them lacks, UsageError (exit 2) where
    neither lies in a run and --data is not given.
    """
    first, second = opened_model(resolved, a), opened_model(resolved, b)
    dataset = _common_data(resolved, first, second)
    policy = resolved.settings.data.on_unknown_class
    for name, path, classifier in (("A", a, first), ("B", b, second)):
        before = len(dataset.left_out)
        dataset = answerable(dataset, classifier.labels, policy, f"{name}, {path}")
        if lost := dataset.left_out[before:]:
            splits = ", ".join(f"{count:,} in {split}" for split, count in per_split(lost))
            say(f"Left out, of classes that {name}, {path}, does not know: {counted(len(lost), 'image')} ({splits}).")
        say_other_data(dataset, classifier, f"{name}, {path},")
    workers = scan_threads(resolved.settings.compute.workers)
    both = predict_both(first, second, dataset, split, workers, progress)
    data = dataset.ref(split)
    return Scored(first, dataset, both[0], data), Scored(second, dataset, both[1], data)


def _common_data(resolved: Resolved, a: Classifier, b: Classifier) -> Dataset:
    """Images of classes that at least one of the two knows."""
    either = Labels((*a.labels, *(name for name in b.labels if name not in a.labels)))
    for classifier in (a, b):
        dataset = model_data(resolved, replace(classifier, labels=either))
        if dataset is not None:
            return dataset
    raise UsageError(
        f"Neither {a.path} nor {b.path} lies in a run, so their data are not known.", "Name images with --data DIR."
    )
