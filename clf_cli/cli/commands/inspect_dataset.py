"""clf inspect-dataset."""

import typer

from clf_cli.cli.console import progress, say
from clf_cli.cli.dataset_files import DatasetFiles, HtmlOption, OutOption
from clf_cli.cli.gate import GateFiles, SarifOption, UpdateBaselineOption, answer, outside_data
from clf_cli.cli.judges import ModelsOption, input_for, open_judges, suspects_among
from clf_cli.cli.junit import JunitOption
from clf_cli.cli.named_data import DataArgument, named_data
from clf_cli.cli.options import JsonOption, configured
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)


@app.command()
@configured("inspect-dataset")
def inspect_dataset(
    resolved: Resolved,
    data: DataArgument = None,
    model: ModelsOption = None,
    update_baseline: UpdateBaselineOption = False,
    as_json: JsonOption = False,
    junit: JunitOption = None,
    sarif: SarifOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
) -> None:
    """Count a data set's images and list what is wrong with it."""
    from clf_cli.data.dataset import survey_dataset
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.dataset import dataset_report, gated
    from clf_cli.engine.dataset_gate import not_searched, open_gate, require_searched

    compute, asked = resolved.settings.compute, resolved.settings.inspect
    section = named_data(resolved, data, "inspect-dataset")
    assert section.root is not None
    files = GateFiles(section.root, junit, sarif)
    files.clear()
    more = DatasetFiles(out, html)
    more.check(section.root)
    gate = open_gate(resolved.settings.gate, update_baseline)
    require_searched(gate, not_searched(asked, model=bool(model)))
    outside_data(section.root, baseline=gate.baseline if gate.update else None)
    with files.saying_failure():
        judges = open_judges(resolved, model or ())
        dataset = survey_dataset(section, compute.seed, scan_threads(compute.workers), progress)
        for note in dataset.notes:
            say(note)
        suspects = suspects_among(resolved, dataset, judges)
        preprocess = input_for(resolved, judges)
        report = dataset_report(dataset, asked, scan_threads(compute.workers), progress, preprocess, suspects)
    answer(*gated(report, dataset, gate, asked), as_json, files, lambda report: more.write(report, dataset))
