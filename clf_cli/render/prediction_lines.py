"""Predictions as lines of JSON and rows of CSV, and what to say of them; imports no rich."""

import json

from clf_cli.engine.predictions import Tally
from clf_cli.files import seen
from clf_cli.render.csv import Cell, csv_line
from clf_cli.render.text import counted
from clf_cli.values.prediction import Prediction


def summary(tally: Tally) -> str:
    """One line: how many images, how many classes among the answers, and how many got none."""
    parts = [counted(tally.images, "image"), f"{counted(len(tally.seen), 'class')} seen"]
    if tally.abstained:
        parts.append(f"{tally.abstained:,} not sure enough")
    return " · ".join([*parts, f"{tally.unreadable:,} unreadable"])


def json_line(prediction: Prediction) -> str:
    return seen(json.dumps(prediction.to_json(), ensure_ascii=False, allow_nan=False))


def csv_header(top: int) -> str:
    """The columns, with a label and a probability for each of the `top` candidates."""
    candidates = [f"top{rank}_{name}" for rank in range(1, top + 1) for name in ("label", "probability")]
    return csv_line(["path", "label", "index", "probability", "error", *candidates])


def csv_row(prediction: Prediction, top: int) -> str:
    """An empty label is `""`; a field of which there is none is empty."""
    candidates: list[Cell] = [cell for candidate in prediction.top for cell in (candidate.label, candidate.probability)]
    missing: list[Cell] = [None] * (2 * top - len(candidates))
    first = (prediction.path, prediction.label, prediction.index, prediction.probability, prediction.error)
    return csv_line([*first, *candidates, *missing])
