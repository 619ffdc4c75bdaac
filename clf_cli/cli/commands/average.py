"""clf average."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import progress, publish, say, warn_of
from clf_cli.cli.options import JsonOption, SplitOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

CheckpointsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="CKPT",
        help="Checkpoints, or a run folder for its top three.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The new checkpoint.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Let it take the place of a file that exists.")
]


@app.command()
@configured("average")
def average(
    resolved: Resolved,
    checkpoints: CheckpointsArgument,
    out: OutOption,
    split: SplitOption = "val",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Average the weights of checkpoints, and score the mean before it is written."""
    _check_out(out, overwrite)
    from clf_cli.cli.scored import opened, scored_on
    from clf_cli.engine.average import AverageResult, classifier_at, read_inputs, strangers, write_average
    from clf_cli.engine.average import average as mean
    from clf_cli.engine.metrics import metrics
    from clf_cli.models.compute import resolve_compute
    from clf_cli.values.contract import Score
    from clf_cli.values.run_dir import run_of

    inputs = read_inputs(checkpoints)
    _, dataset = opened(resolved, inputs[0].path)
    compute, _ = resolve_compute(resolved.settings.compute)
    averaged = mean(inputs, dataset, compute, progress)
    found = scored_on(resolved, classifier_at(averaged, out), dataset, split)
    scores = metrics(found.predictions)
    score = Score(f"{found.data.split}/acc_top1", found.data.split, scores.acc_top1, averaged.checkpoint.scored_weights)
    write_average(averaged, score, dataset.fingerprint, out)
    result = AverageResult(out.as_posix(), inputs, averaged.norm_layers, averaged.train_images, score, scores)
    findings = strangers(inputs)
    warn_of(findings)
    publish(replace(found.report(result), findings=findings), as_json)
    data = "" if run_of(out) else " --data DIR"
    say(f"Wrote {out}. Next: clf evaluate {quote(str(out))}{data}")


def _check_out(out: Path, overwrite: bool) -> None:
    """Raises UsageError (exit 2) for a place that is taken, or that later commands would read as something else."""
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder.", f"Name a file, such as {out / 'averaged.ckpt'}.")
    if out.suffix.lower() == ".onnx":
        raise UsageError(f"--out {out} ends in .onnx, which the commands read as an ONNX file.", "Name a .ckpt file.")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already.", "Name another file with --out, or add --overwrite.")
