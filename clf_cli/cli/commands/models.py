"""clf models."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clf_cli.cli.console import progress, publish, say
from clf_cli.cli.options import JsonOption, configured
from clf_cli.models.archs import complete_arch

if TYPE_CHECKING:  # it imports pydantic, which --help does without
    from clf_cli.settings.root import Settings

app = typer.Typer(add_completion=False)

PatternArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="PATTERN",
        help="Part of a name, or a pattern such as 'resnet*' or '*.in12k*'.",
        show_default=False,
        autocompletion=complete_arch,
    ),
]
PretrainedOption = Annotated[bool, typer.Option("--pretrained", metavar="", help="Only those with published weights.")]
SortOption = Annotated[Literal["name", "parameters"], typer.Option("--sort", metavar="KEY", help="name or parameters.")]


@app.command()
@configured("models")
def models(
    settings: "Settings",
    pattern: PatternArgument = None,
    pretrained: PretrainedOption = False,
    sort: SortOption = "name",
    as_json: JsonOption = False,
) -> None:
    """List timm's architectures and their published weights."""
    from importlib.metadata import version

    from clf_cli.engine.models import ModelsResult, in_order, matching
    from clf_cli.models.catalog import catalog, with_parameters
    from clf_cli.values.report import Report

    entries = catalog()
    chosen = {entry.name for entry in matching(entries, pattern, pretrained)}
    counted, note = with_parameters(entries, chosen, progress)
    if note is not None:
        say(note)
    found = in_order([entry for entry in counted if entry.name in chosen], sort)
    publish(Report(ModelsResult(version("timm"), found)), as_json=as_json)
