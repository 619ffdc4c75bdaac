"""--model of clf inspect-dataset: models that dispute labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, say
from clf_cli.errors import UsageError
from clf_cli.settings.option import options_of
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.data.dataset import Dataset
    from clf_cli.engine.suspects import Suspects
    from clf_cli.models.classifier import Classifier
    from clf_cli.values.preprocess import Preprocess

ModelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="List labels that this run, checkpoint or .onnx file disputes, of images that it was not trained on; "
        "repeatable.",
        show_default=False,
        autocompletion=complete_model,
    ),
]


def open_judges(resolved: Resolved, models: Sequence[Path]) -> "tuple[Classifier, ...]":
    """Each of them once. Raises ModelError (exit 4), UsageError (exit 2) for flags that a model decides."""
    given = [s.flag for s in options_of("inspect-dataset") if s.section == "model" and resolved.given(s.path)]
    if models and given:
        raise UsageError(f"{models[0]} decides what {given[0]} says.", f"Leave {given[0]} or --model away.")
    if not models:
        return ()
    from clf_cli.cli.opened_model import opened_model, say_model_notes

    opened = tuple(opened_model(resolved, path) for path in dict.fromkeys(models))
    for classifier in opened:
        say_model_notes(resolved, classifier)
    return opened


def input_for(resolved: Resolved, classifiers: "Sequence[Classifier]") -> "Preprocess":
    """What the first model makes of the images; without one, what training with these settings would."""
    from clf_cli.engine.dataset import input_of

    return classifiers[0].preprocess if classifiers else input_of(resolved.settings.model)


def suspects_among(resolved: Resolved, dataset: "Dataset", classifiers: "Sequence[Classifier]") -> "Suspects | None":
    """What they dispute; None without a model. Raises as `find_suspects` and `trained_on` do."""
    if not classifiers:
        return None
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.suspects import Judge, find_suspects
    from clf_cli.engine.trained_on import trained_on

    workers = scan_threads(resolved.settings.compute.workers)
    judges = []
    for one in classifiers:
        seen = trained_on(one, dataset, workers, progress)
        judges.append(Judge(one, None if seen is None else seen.paths))
        if seen is None:
            say(
                f"Which images {one.path} was trained on is not known, so it judges all: "
                "a wrong label that it learnt is not found."
            )
        elif seen.untold is not None:
            say(
                f"{one.path} goes back to {seen.untold} (--init-from), whose run is not there: "
                "what that was trained on is judged too."
            )
    return find_suspects(dataset, judges, workers, progress)
