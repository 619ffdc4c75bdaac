"""clf clean."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, publish, say, warn_of
from clf_cli.cli.named_data import DataArgument, ManifestOption, named_data
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import DataError
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import pydantic or numpy, which --help does without
    from clf_cli.settings.sections import DataSection
    from clf_cli.values.report import Report

app = typer.Typer(add_completion=False)

MADE_BY = "clf clean"

RowsOption = Annotated[
    Path | None,
    typer.Option(
        "--rows",
        metavar="FILE",
        help="Leave out these too: a text file with a path, or a manifest and line such as all.jsonl:12, a line.",
        show_default=False,
    ),
]


@app.command()
@configured("clean")
def clean(
    resolved: Resolved,
    data: DataArgument = None,
    out: ManifestOption = None,
    rows: RowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave out the rows that findings name, in a new manifest."""
    from clf_cli.data.written_manifests import check_manifest_out, write_manifest
    from clf_cli.engine.clean import CleanResult

    section = named_data(resolved, data, "clean")
    if out is not None and section.root is not None:
        check_manifest_out(out, section.root, MADE_BY)
    report = _cleaned(resolved, section, rows)
    result = report.result
    assert isinstance(result, CleanResult)
    if out is not None and section.root is not None:
        if not result.kept:
            raise DataError(f"No row of {section.root} would be left.", "Drop less with --drop.")
        write_manifest(out, section.root, result.kept, {"by": MADE_BY, "drop": list(result.drop)})
        say(f"Wrote {out}")
        report = replace(report, result=replace(result, file=out.as_posix()))
    publish(report, as_json=as_json)
    warn_of(report.findings)


def _cleaned(resolved: Resolved, section: "DataSection", rows: Path | None) -> "Report":
    """Inspects the data under the policies that let nothing pass, so that a code has its own severity."""
    from clf_cli.data.dataset import survey_dataset
    from clf_cli.data.layout import read_layout
    from clf_cli.data.samples import WHOLE
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.clean import chosen_codes, read_places, warnings_of
    from clf_cli.engine.clean import clean as without
    from clf_cli.engine.dataset_findings import all_findings
    from clf_cli.engine.dataset_gate import gate_words, in_order
    from clf_cli.values.report import Report

    drop = in_order(gate_words("--drop", resolved.settings.clean.drop))
    places = frozenset() if rows is None else read_places(rows)
    codes = chosen_codes(drop) if drop or not places else frozenset()
    asked = resolved.settings.inspect
    near = asked.near_duplicates and bool(codes & {"CLF302", "CLF303"})
    strict = {"on_bad_image": "error", "on_label_conflict": "error", "on_unknown_class": "error"}
    threads = scan_threads(resolved.settings.compute.workers)
    assert section.root is not None  # named_data refuses None
    dataset = survey_dataset(section.model_copy(update=strict), resolved.settings.compute.seed, threads, progress)
    findings = all_findings(dataset, asked.model_copy(update={"near_duplicates": near}), threads, progress)
    result = without(read_layout(section.root), findings, drop, places)
    return Report(result, data=dataset.ref(WHOLE), findings=warnings_of(result))
