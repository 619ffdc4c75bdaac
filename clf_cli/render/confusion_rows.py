"""A confusion matrix as lines of a CSV file, without matplotlib."""

from collections.abc import Iterator

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.render.csv import harmless

HEADER = "true"


def header(result: ConfusionResult) -> tuple[str, ...]:
    """The first line of the CSV file: `true`, then the predicted classes."""
    return (HEADER, *map(harmless, result.labels))


def rows(result: ConfusionResult) -> Iterator[tuple[str | int, ...]]:
    """One line per true class: its name, then its counts in label order."""
    for name, counts in zip(result.labels, result.counts.tolist(), strict=True):
        yield (harmless(name), *counts)
