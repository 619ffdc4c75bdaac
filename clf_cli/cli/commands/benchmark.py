"""clf benchmark."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, publish, say, warn, warn_of
from clf_cli.cli.options import JsonOption, configured
from clf_cli.cli.places import stem_in
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.engine.benchmark import Form
    from clf_cli.settings.onnx_sections import BenchmarkSection
    from clf_cli.training.train_benchmark import TrainBenchmarkResult
    from clf_cli.values.report import ModelRef

app = typer.Typer(add_completion=False)

OF_A_MODEL = ("benchmark.batch_sizes",)  # what --train has no use for
OF_BOTH = ("benchmark.seconds", "benchmark.threads")

ModelArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[MODEL]",
        help="Run folder, checkpoint or .onnx file; none with --train.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
TrainOption = Annotated[
    bool,
    typer.Option(
        "--train", metavar="", help="Time training instead, with the settings of clf train; write nothing into a run."
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for the report, JSON and CSV. Default: no files."),
]


@app.command()
@configured("benchmark")
def benchmark(
    resolved: Resolved,
    model: ModelArgument = None,
    train: TrainOption = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Time a model, precision by precision, or with --train this machine's training."""
    if model is None or train:
        _train(_of_train(resolved, model, train=train), out, as_json=as_json)
    else:
        _model(_of_model(resolved), model, out, as_json=as_json)


def _of_train(resolved: Resolved, model: Path | None, *, train: bool) -> Resolved:
    """Raises UsageError (exit 2) for a command that asks for both or neither."""
    if not train:
        raise UsageError("No model is named.", "Say clf benchmark MODEL, or clf benchmark --train --data DIR.")
    if model is not None:
        raise UsageError(
            f"--train times a network that starts anew, not the model {model}.",
            "Leave one of them out; --arch names it.",
        )
    _refuse(resolved, OF_A_MODEL, "--train times one batch size: --batch-size N.")
    section = resolved.settings.benchmark
    if len(section.threads) > 1:
        raise UsageError("--train times one number of threads.", f"Say --threads {section.threads[0]}.")
    compute = resolved.settings.compute
    if resolved.given("benchmark.threads"):
        compute = compute.model_copy(update={"threads": section.threads[0]})
    return replace(resolved, settings=resolved.settings.model_copy(update={"compute": compute}))


def _of_model(resolved: Resolved) -> Resolved:
    """Raises UsageError (exit 2) for flags of training, which a model has no use for."""
    others = [path for path in resolved.origin if path not in (*OF_A_MODEL, *OF_BOTH)]
    _refuse(resolved, others, "It is for --train.")
    return resolved


def _refuse(resolved: Resolved, paths: Iterable[str], hint: str) -> None:
    from clf_cli.settings.root import settings_of  # pydantic

    flags = {setting.path: setting.flag for setting in settings_of("benchmark")}
    named = [flags[path] for path in paths if resolved.given(path)]
    if named:
        raise UsageError(f"{', '.join(named)}: of no effect here.", hint)


def _train(resolved: Resolved, out: Path | None, *, as_json: bool) -> None:
    from clf_cli.data.library_caches import temporary_place
    from clf_cli.values.report import Report

    stem = None if out is None else stem_in(out, "train_benchmark")
    with tempfile.TemporaryDirectory(prefix="clf-benchmark-", dir=temporary_place()) as folder:
        result = _timed(resolved, Path(folder))
    report = Report(result, findings=result.findings)
    publish(report, as_json=as_json)
    warn_of(report.findings)
    if stem is not None:
        from clf_cli.render.train_benchmark_files import write_train_benchmark

        for path in write_train_benchmark(report, stem):
            say(f"Wrote {path}")


def _timed(resolved: Resolved, folder: Path) -> "TrainBenchmarkResult":
    from clf_cli.training.benchmark_start import benchmark_start

    start = benchmark_start(resolved, folder, progress)
    for note in start.notes:
        say(note)
    from clf_cli.training.timed_training import timed_training  # torch and Lightning

    return timed_training(start, resolved.settings.benchmark.seconds, progress)


def _model(resolved: Resolved, model: Path, out: Path | None, *, as_json: bool) -> None:
    from clf_cli.data.library_caches import temporary_place
    from clf_cli.engine.benchmark import benchmark as timed
    from clf_cli.models.classifier import model_file
    from clf_cli.models.compute import available_cores

    section = resolved.settings.benchmark
    stem = None if out is None else stem_in(out, "benchmark")
    file = model_file(model)
    with tempfile.TemporaryDirectory(prefix="clf-benchmark-", dir=temporary_place()) as folder:
        forms, ref = _of_onnx(file) if file.suffix.lower() == ".onnx" else _of_checkpoint(file, Path(folder))
        say(_plan(forms, section))
        report = timed(forms, section, ref, available_cores(), progress).report
    publish(report, as_json=as_json)
    warn_of(report.findings)
    if stem is not None:
        from clf_cli.render.benchmark_files import write_benchmark

        for path in write_benchmark(report, stem):
            say(f"Wrote {path}")


def _of_onnx(file: Path) -> tuple[tuple["Form", ...], "ModelRef | None"]:
    """The file and its siblings; torch is not imported."""
    from clf_cli.engine.onnx_forms import ref_of, with_siblings

    forms, notes = with_siblings(file)
    for note in notes:
        say(note)
    return forms, ref_of(file)


def _of_checkpoint(file: Path, folder: Path) -> tuple[tuple["Form", ...], "ModelRef | None"]:
    from clf_cli.engine.checkpoint_forms import checkpoint_ref, onnx_forms, shipped_files, torch_form
    from clf_cli.models.checkpoint import read_checkpoint
    from clf_cli.models.compute import resolve_compute

    checkpoint = read_checkpoint(file)
    from clf_cli.settings.sections import ComputeSection  # pydantic

    compute, _ = resolve_compute(ComputeSection(device="cpu", threads=1))
    files = shipped_files(checkpoint)
    if files.missing:
        missing = ", ".join(files.missing)
        say(
            f"There is no ONNX file of {missing}: made for this measurement and not kept. Made from noise, they answer "
            "nothing of use; their speed is the same."
        )
    onnx, notes = onnx_forms(checkpoint, files, compute, folder, progress)
    for note in notes:
        warn(note)
    return (torch_form(checkpoint, compute), *onnx), checkpoint_ref(checkpoint)


def _plan(forms: tuple["Form", ...], section: "BenchmarkSection") -> str:
    """How long it takes at least."""
    from clf_cli.render.text import counted, duration

    cases = len(set(section.threads)) * len(set(section.batch_sizes))
    least = duration(cases * len(forms) * section.seconds)
    return f"Timing {counted(len(forms), 'form')} in {counted(cases, 'case')}, in turns: {least} or more"
