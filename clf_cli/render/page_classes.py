"""The classes of a run as rows of a table: what each scored, and what it is taken for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clf_cli.engine.confusion import ConfusionResult
from clf_cli.engine.report_page import ReportPage
from clf_cli.engine.stored_reports import ClassScores
from clf_cli.render.text import label


@dataclass(frozen=True)
class ClassRow:
    """A class in the table of all classes; `scores` by split, `taken_for` the class that most of its errors go to."""

    name: str
    images: int | None  # in train
    scores: Mapping[str, ClassScores]
    taken_for: tuple[str, int] | None
    weakness: float  # sorts the table: F1 of the first split that has one


def class_rows(page: ReportPage) -> list[ClassRow]:
    """Every class, the weakest first."""
    names = next((list(scores.per_class) for scores in page.scores.values()), [])
    confusion = next(iter(page.confusions.values()), None)
    confused = _taken_for(confusion) if confusion is not None else {}
    counts = page.data.counts if page.data is not None else {}
    rows = []
    for name in names:
        scores = {split: of.per_class[name] for split, of in page.scores.items() if name in of.per_class}
        known = [one.f1 for one in scores.values() if math.isfinite(one.f1)]
        images = counts.get(name, {}).get("train") if counts else None
        rows.append(ClassRow(label(name, 60), images, scores, confused.get(name), known[0] if known else math.inf))
    return sorted(rows, key=lambda row: row.weakness)


def _taken_for(result: ConfusionResult) -> dict[str, tuple[str, int]]:
    """For each class with errors, the class that most of them went to, and how many."""
    wrong = result.counts.copy()
    np.fill_diagonal(wrong, 0)
    best = wrong.argmax(axis=1)
    return {
        name: (label(result.labels.names[best[row]], 30), int(wrong[row, best[row]]))
        for row, name in enumerate(result.labels.names)
        if wrong[row, best[row]]
    }
