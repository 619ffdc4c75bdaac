"""clf synth."""

from pathlib import Path
from typing import Annotated

import typer

from clf_cli.cli.console import progress, publish
from clf_cli.cli.options import JsonOption, configured
from clf_cli.errors import UsageError
from clf_cli.settings.resolved import Resolved

app = typer.Typer(add_completion=False)

OutOption = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="New folder for the images; one that exists is refused.")
]
FOR_A_SET = ("images", "classes", "imbalance", "empty")
FOR_LIKE = ("below", "target")


@app.command()
@configured("synth")
def synth(resolved: Resolved, out: OutOption, as_json: JsonOption = False) -> None:
    """Draw a data set of jersey numbers."""
    from clf_cli.engine.synth import plan_set
    from clf_cli.engine.synth_like import plan_for
    from clf_cli.engine.synth_write import check_out, write_synth
    from clf_cli.values.report import Report

    section, seed = resolved.settings.synth, resolved.settings.compute.seed
    _refuse_without_effect(resolved)
    check_out(out, section.like)
    plan = plan_for(section, resolved.settings.data, seed, progress) if section.like else plan_set(section, seed)
    publish(Report(write_synth(plan, out, seed, progress)), as_json=as_json)


def _refuse_without_effect(resolved: Resolved) -> None:
    """A flag that the other way of drawing does not read is a mistake, not something to pass over."""
    like = resolved.settings.synth.like is not None
    given = [key for key in (FOR_A_SET if like else FOR_LIKE) if resolved.given(f"synth.{key}")]
    if given:
        raise UsageError(
            f"--{given[0]} has no effect {'with' if like else 'without'} --like.",
            "With --like, --below and --target decide how many images of which classes are drawn.",
        )
