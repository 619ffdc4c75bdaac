"""What differs between the data that a run was trained on and those that are there now."""

from clf_cli.data.dataset import Dataset
from clf_cli.data.layout import read_layout
from clf_cli.data.run_splits import read_splits
from clf_cli.data.samples import Sample
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.settings.sections import DataSection
from clf_cli.training.drift import Drift
from clf_cli.values.run_dir import RunDir

SHOWN = 3  # names in a line


def data_drift(run: RunDir, dataset: Dataset, section: DataSection, checkpoint: Checkpoint) -> list[Drift]:
    """Classes, labels, images and contents that are not those of the run's splits.csv, which it goes on with.

    Images that were added are no harm: the run does not draw them. Those that are there, but no longer listed, it would
    draw all the same.
    """
    found = []
    known, splits = read_splits(run.splits)
    listing = read_layout(section.root or dataset.root).samples
    now, before = _classes(listing, splits), _classes(known, splits)
    changes = [
        f"{word} {_named([label or '(empty)' for label in sorted(labels)])}"
        for word, labels in (("also", now - before), ("without", before - now))
        if labels
    ]
    if changes:
        found.append(Drift("classes", f"{len(checkpoint.labels)} classes", ", ".join(changes)))
    labels: dict[str, list[str]] = {}  # several of an image that --on-label-conflict kept or dropped
    for row in known:
        labels.setdefault(row.path, []).append(row.label)
    moved = [row for row in listing if row.label not in labels.get(row.path, [row.label])]
    if moved:
        names = _named(
            [f"{row.path} ({', '.join(labels[row.path]) or '(empty)'} → {row.label or '(empty)'})" for row in moved]
        )
        found.append(Drift("data.labels", "those of splits.csv", f"others for {names}"))
    if dataset.fingerprint != checkpoint.data_fingerprint:
        found.append(Drift("data.fingerprint", checkpoint.data_fingerprint or "unknown", dataset.fingerprint))
    listed = {row.path for row in listing}
    removed = sorted({sample.path for sample in dataset.samples} - listed)
    if removed:
        found.append(Drift("data.removed", f"{len(labels)} images", f"no longer listed: {_named(removed)}"))
    added = len(listed - labels.keys())
    if added and section.subset == 1:
        found.append(Drift("data.images", f"{len(labels)}", f"{len(labels) + added}: the new ones are not trained on"))
    return found


def _classes(rows: tuple[Sample, ...], splits: tuple[str, ...]) -> set[str]:
    """The labels of train; of data without splits, all."""
    has_splits = any(row.split for row in rows) and bool(splits)
    return {row.label for row in rows if not has_splits or row.split == "train"}


def _named(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
