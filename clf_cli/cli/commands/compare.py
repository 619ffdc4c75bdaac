"""clf compare."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import publish, say, warn_of
from clf_cli.cli.options import JsonOption, SplitOption, configured
from clf_cli.cli.places import stem_in
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

BaselineArgument = Annotated[
    Path,
    typer.Argument(
        metavar="A",
        help="Baseline: run folder, checkpoint or .onnx file.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
CandidateArgument = Annotated[
    Path,
    typer.Argument(
        metavar="B", help="Candidate, held against the baseline.", show_default=False, autocompletion=complete_model
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for compare.json and compare.csv. Default: no files."),
]


@app.command()
@configured("compare")
def compare(
    resolved: Resolved,
    a: BaselineArgument,
    b: CandidateArgument,
    split: SplitOption = "val",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a candidate against a baseline on the same images."""
    from clf_cli.cli.paired import scored_pair
    from clf_cli.engine.compare import Contender
    from clf_cli.engine.compare import compare as held_against
    from clf_cli.engine.metrics import need_classes
    from clf_cli.engine.paired import pair_findings
    from clf_cli.values.report import Report

    stem = None if out is None else stem_in(out, "compare")
    first, second = scored_pair(resolved, a, b, split)
    need_classes(first.predictions, first.data)
    result = held_against(
        Contender(a.as_posix(), first.classifier.ref, first.predictions),
        Contender(b.as_posix(), second.classifier.ref, second.predictions),
        resolved.settings.compare,
        resolved.settings.compute.seed,
    )
    named = ((a.as_posix(), first.classifier), (b.as_posix(), second.classifier))
    findings = pair_findings(named, first.data.fingerprint)
    report = Report(result, second.classifier.ref, second.data, findings)
    publish(report, as_json=as_json)
    warn_of(findings)
    if stem is not None:
        from clf_cli.render.compare_files import write_compare

        for path in write_compare(report, stem):
            say(f"Wrote {path}")
    result.raise_if_failed()
