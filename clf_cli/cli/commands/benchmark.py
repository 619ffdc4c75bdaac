"""clf benchmark."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clf_cli.cli.console import progress, publish, say, warn, warn_of
from clf_cli.cli.options import JsonOption, ModelArgument, configured
from clf_cli.cli.places import stem_in
from clf_cli.settings.resolved import Resolved
from clf_cli.settings.sections import ComputeSection

if TYPE_CHECKING:  # they import numpy, which --help does without
    from clf_cli.engine.benchmark import Form
    from clf_cli.settings.onnx_sections import BenchmarkSection
    from clf_cli.values.report import ModelRef

app = typer.Typer(add_completion=False)

OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for benchmark.json and benchmark.csv. Default: no files."),
]


@app.command()
@configured("benchmark")
def benchmark(resolved: Resolved, model: ModelArgument, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Time a model in torch and in ONNX Runtime, precision by precision, side by side."""
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
