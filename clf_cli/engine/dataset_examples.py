"""A few images of every class, to look at: the same whenever and wherever the data are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from clf_cli.data.checks import split_rank
from clf_cli.data.dataset import Dataset
from clf_cli.data.samples import Sample

PER_CLASS = 8
CLASSES = 60  # of more, the largest and the rarest


@dataclass(frozen=True)
class ClassExamples:
    """`paths` are images of the class in the first split that has any; `images` is how many it has there."""

    label: str
    split: str
    images: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """Classes in label order; `left_out` is how many between the largest and the rarest are not there."""

    classes: tuple[ClassExamples, ...]
    left_out: int


def examples(dataset: Dataset, per_class: int = PER_CLASS, classes: int = CLASSES) -> Examples:
    """Different images of each class, chosen by their content: adding images to the data changes few of them."""
    rows: dict[str, list[Sample]] = {label: [] for label in dataset.labels}
    for sample in sorted(dataset.samples, key=lambda sample: split_rank(sample.split or "")):
        known = rows.get(sample.label)
        if known is not None and (not known or known[0].split == sample.split):
            known.append(sample)
    kept = _kept(rows, classes)
    found = [_examples_of(label, rows[label], dataset, per_class) for label in dataset.labels if label in kept]
    return Examples(tuple(one for one in found if one.paths), len(rows) - len(kept))


def _kept(rows: dict[str, list[Sample]], classes: int) -> set[str]:
    order = sorted(rows, key=lambda label: -len(rows[label]))
    return set(order) if len(order) <= classes else {*order[: classes // 2], *order[-(classes // 2) :]}


def _examples_of(label: str, rows: Sequence[Sample], dataset: Dataset, per_class: int) -> ClassExamples:
    contents = {dataset.files[row.path].content_hash: row.path for row in reversed(rows)}
    chosen = tuple(contents[content] for content in sorted(contents)[:per_class])
    return ClassExamples(label, (rows[0].split or "") if rows else "", len(rows), chosen)
