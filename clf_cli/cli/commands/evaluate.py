"""clf evaluate."""

from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import publish, say
from clf_cli.cli.given import LabelsOption, PreprocessOption, given_files
from clf_cli.cli.options import JsonOption, ModelArgument, SplitOption, configured
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.data.dataset import Dataset
    from clf_cli.models.classifier import Classifier

app = typer.Typer(add_completion=False)

ByOption = Annotated[
    list[str] | None,
    typer.Option(
        "--by", metavar="KEY", help="Score the images of each value of this manifest key, such as metadata.camera, too."
    ),
]


@app.command()
@configured("evaluate")
def evaluate(
    resolved: Resolved,
    model: ModelArgument,
    split: SplitOption = "val",
    by: ByOption = None,
    labels: LabelsOption = None,
    preprocess: PreprocessOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a model on a split, with intervals, per class and per slice."""
    from clf_cli.cli.scored import opened, scored_on
    from clf_cli.data.metadata import values_of
    from clf_cli.engine.metrics import metrics, need_classes
    from clf_cli.engine.slices import Grouping

    keys = tuple(dict.fromkeys(by or ()))
    classifier, dataset = opened(resolved, model, given_files(labels, preprocess))
    if keys:
        dataset = _with_keys(resolved, classifier, dataset, keys)
    found = scored_on(resolved, classifier, dataset, split)
    need_classes(found.predictions, found.data)
    rows = dataset.split(split)
    groupings = [Grouping(key, values_of(rows, key)) for key in keys]
    publish(found.report(metrics(found.predictions, groupings)), as_json=as_json)


def _with_keys(resolved: Resolved, classifier: "Classifier", dataset: "Dataset", keys: tuple[str, ...]) -> "Dataset":
    """The rows with what their manifests say of them, which a run's own splits.csv does not."""
    from clf_cli.data.metadata import require_keys, with_metadata
    from clf_cli.settings.load import read_settings

    if not any(row.metadata or row.group for row in dataset.samples):
        data = resolved.settings.data.root if resolved.given("data.root") else None
        if data is None and classifier.run is not None:
            data = read_settings(classifier.run.settings).data.root
        assert data is not None  # else nothing could have been opened
        dataset, lost = with_metadata(dataset, data)
        if lost and lost < len(dataset.samples):
            say(f"{lost} of the run's rows are no longer in {data}: they count as (none).")
    require_keys(dataset, keys)
    return dataset
