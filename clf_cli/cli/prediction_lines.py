"""How predictions leave the program: lines as the batches finish, or one table or document at the end."""

import sys
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import Literal

from clf_cli.cli.console import progress, publish, say, warn, write_line
from clf_cli.data.samples import printable
from clf_cli.engine.predictions import PredictionsResult, Tally, is_calibrated
from clf_cli.errors import DataError, UsageError
from clf_cli.models.classifier import Classifier
from clf_cli.render.prediction_lines import csv_header, csv_row, json_line, summary
from clf_cli.render.text import counted
from clf_cli.values.prediction import Prediction
from clf_cli.values.progress import Progress, silent
from clf_cli.values.report import Report

Format = Literal["table", "csv", "jsonl"]
Written = Format | Literal["json"]
Batches = Generator[list[Prediction], None, None]


def written_as(wanted: Format | None, as_json: bool) -> Written:
    """A table on a terminal, else JSON lines. Raises UsageError (exit 2) for two formats at once."""
    if as_json and wanted is not None:
        raise UsageError(f"--json is one document, and --format {wanted} is not.", "Leave one of them away.")
    return "json" if as_json else wanted or ("table" if sys.stdout.isatty() else "jsonl")


def write_predictions(batches: Batches, total: int | None, form: Written, classifier: Classifier, top: int) -> Tally:
    """Lines as the batches finish, or a table or document of all of them; for people, what could not be read and why.

    `total` is the number of images, where it is known; `top` that of the candidates in a row of CSV.
    """
    kept: list[Prediction] = []

    def write(batch: list[Prediction], first: bool) -> None:
        if form == "jsonl":
            write_line("\n".join(json_line(prediction) for prediction in batch))
        elif form == "csv":
            write_line("\n".join([csv_header(top)] * first + [csv_row(prediction, top) for prediction in batch]))
        else:
            kept.extend(replace(prediction, logits=None) for prediction in batch)

    if is_calibrated(classifier):
        say("Calibrated: an image below the threshold of its best class gets no label (--no-calibration: every image).")
    tally = Tally()
    with closing(batches), _bar(form)("Predicting", total) as advance:
        for batch in batches:
            write(batch, not tally.images)
            for prediction in batch:
                if prediction.error is not None:
                    warn(f"{printable(prediction.path or '')}: {prediction.error}")
            tally += Tally.of(batch)
            advance(len(batch))
    if form in ("table", "json"):
        result = PredictionsResult(tuple(kept), is_calibrated(classifier))
        publish(Report(result, classifier.ref, findings=classifier.findings), as_json=form == "json")
    say(summary(tally))
    return tally


def refuse_unreadable(tally: Tally) -> None:
    """Raises DataError (exit 3) where an image could not be read."""
    if tally.unreadable:
        raise DataError(
            f"{tally.unreadable:,} of {counted(tally.images, 'image')} cannot be read.",
            "Each is named above and has its reason in the output; with --on-bad-image skip they are no failure.",
        )


def _bar(form: Written) -> Progress:
    """None beside lines that a person sees scroll by."""
    return silent if form in ("jsonl", "csv") and sys.stdout.isatty() else progress
