"""clf validate-onnx."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, publish, say, sentence
from clf_cli.cli.given import LabelsOption, PreprocessOption, given_files
from clf_cli.cli.junit import JunitOption, clear_junit, write_junit
from clf_cli.cli.options import JsonOption, SplitOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.data.dataset import Dataset
    from clf_cli.engine.onnx_evidence import Candidate
    from clf_cli.models.classifier import Classifier

app = typer.Typer(add_completion=False)

OnnxArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="The .onnx file, or the run that exported it.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
AgainstOption = Annotated[
    Path | None,
    typer.Option(
        "--against",
        metavar="RUN|CKPT",
        help="The run or checkpoint to compare with. Default: its own run.",
        autocompletion=complete_model,
    ),
]
GoldenOption = Annotated[
    bool,
    typer.Option("--golden", metavar="", help="Compare with the golden samples beside the file alone, without data."),
]

AnswersOption = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        metavar="FILE",
        help="Compare with what your own program answered instead: JSON lines, and say what it does otherwise.",
    ),
]


@app.command()
@configured("validate-onnx")
def validate_onnx(
    resolved: Resolved,
    model: OnnxArgument,
    against: AgainstOption = None,
    golden: GoldenOption = False,
    answers: AnswersOption = None,
    labels: LabelsOption = None,
    preprocess: PreprocessOption = None,
    split: SplitOption = "val",
    as_json: JsonOption = False,
    junit: JunitOption = None,
) -> None:
    """Compare an ONNX file with the checkpoint that it came from."""
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine import onnx_evidence as engine
    from clf_cli.engine.onnx_provider import provider_named
    from clf_cli.models.compute import resolve_compute
    from clf_cli.models.onnx import onnx_classifier

    clear_junit(junit)
    asked = resolved.settings.validate_onnx
    _refuse_together(golden, answers is not None, against is not None, resolved.given("data.root"))
    provider, path = provider_named(asked.provider), engine.onnx_file(model)
    compute, notes = resolve_compute(resolved.settings.compute.model_copy(update={"device": "cpu"}))
    for note in notes:
        say(note)
    onnx = onnx_classifier(path, compute.threads, given_files(labels, preprocess))
    candidate = engine.open_candidate(onnx, provider, compute.threads)
    if answers is not None:
        _check_answers(resolved, candidate, answers, as_json, junit)
        return
    if golden:
        result = engine.validate_golden(candidate, asked)
    else:
        reference = engine.reference_for(candidate.onnx, against, compute)
        data = _data(resolved, candidate.onnx, reference, split)
        workers = scan_threads(resolved.settings.compute.workers)
        result = engine.validate_onnx(candidate, reference, data, asked, workers, progress)
    publish(result.report, as_json=as_json)
    write_junit(result.report, junit)
    result.raise_if_failed(path)


def _refuse_together(golden: bool, answers: bool, against: bool, data: bool) -> None:
    """Raises UsageError (exit 2) where more than one thing to compare with is named."""
    if golden and (against or data):
        raise UsageError("--golden compares with the golden samples alone.", "Leave --against and --data away.")
    if answers and (golden or against):
        raise UsageError("--answers compares with those answers alone.", "Leave --golden and --against away.")


def _check_answers(resolved: Resolved, candidate: "Candidate", file: Path, as_json: bool, junit: Path | None) -> None:
    from clf_cli.cli.model_data import model_data
    from clf_cli.data.scan_threads import scan_threads
    from clf_cli.engine.onnx_answers_check import check_answers

    dataset = model_data(resolved, candidate.onnx)
    if dataset is None:
        raise UsageError("The images of the answers are not known.", "Name them with --data DIR.")
    asked, workers = resolved.settings.validate_onnx, scan_threads(resolved.settings.compute.workers)
    result = check_answers((candidate.onnx, candidate.consumer), file, dataset, asked, workers, progress)
    publish(result.report, as_json=as_json)
    write_junit(result.report, junit)
    result.raise_if_failed(file)


def _data(
    resolved: Resolved, onnx: "Classifier", reference: "Classifier | None", split: str
) -> "tuple[Dataset, str] | None":
    """The images to compare on; none where the classes differ: the check says so."""
    from clf_cli.cli.model_data import model_data
    from clf_cli.engine.onnx_evidence import same_classes

    if onnx.given is not None and reference is not None:  # else it is said with what is known of the model
        say(sentence(onnx.given.note))
    dataset = model_data(resolved, reference or onnx) if same_classes(onnx, reference) else None
    return None if dataset is None else (dataset, split)
