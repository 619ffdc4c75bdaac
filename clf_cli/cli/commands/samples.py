"""clf samples."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from clf_cli.cli.completion import complete_model
from clf_cli.cli.console import publish, say
from clf_cli.cli.options import JsonOption, configured
from clf_cli.cli.places import OutFolderOption
from clf_cli.errors import UsageError
from clf_cli.settings.option import options_of
from clf_cli.settings.resolved import Resolved
from clf_cli.values.run_dir import newest_runs

app = typer.Typer(add_completion=False)

ModelOrNone = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="Run folder, checkpoint or .onnx file; --augmented with --data does without.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
SplitOrNone = Annotated[
    Literal["train", "val", "test", "all"] | None,
    typer.Option(
        "--split",
        metavar="SPLIT",
        help="Images to look at: train, val, test or all. Default: val; train for --augmented.",
    ),
]
CountOption = Annotated[
    int | None,
    typer.Option(
        "--count", "-n", min=1, max=400, metavar="N", help="Most images to show. Default: the run's, 6 for --augmented."
    ),
]
WorstOption = Annotated[bool, typer.Option("--worst", metavar="", help="The images of the highest loss.")]
FlipsOption = Annotated[
    Path | None,
    typer.Option(
        "--flips",
        metavar="OTHER",
        help="The images that this other model calls something else.",
        autocompletion=complete_model,
    ),
]
AugmentedOption = Annotated[
    bool, typer.Option("--augmented", metavar="", help="Train images, before and after augmentation.")
]


@app.command()
@configured("samples")
def samples(
    resolved: Resolved,
    model: ModelOrNone = None,
    split: SplitOrNone = None,
    count: CountOption = None,
    worst: WorstOption = False,
    flips: FlipsOption = None,
    augmented: AugmentedOption = False,
    out: OutFolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show images with what is predicted for them, or what augmentation makes of them."""
    _refuse_two([("--worst", worst), ("--flips", flips is not None), ("--augmented", augmented)])
    _refuse_idle_flags(resolved, model, split, augmented)
    from clf_cli.cli import galleries
    from clf_cli.cli.galleries import Place

    place = Place(out, model, split or "val")
    if augmented:
        gallery = galleries.augmented_gallery(resolved, place, count)
    elif flips is not None:
        gallery = galleries.flips_gallery(resolved, place, flips, count)
    else:
        gallery = galleries.predicted_gallery(resolved, place, count, worst)
    publish(gallery.report, as_json=as_json)
    if gallery.stem is None:
        say("No picture was drawn: name a folder for it with --out DIR.")
        return
    from clf_cli.render.gallery_files import write_gallery

    for path in write_gallery(gallery.report, gallery.figure(), gallery.stem):
        say(f"Wrote {path}")


def _refuse_two(modes: list[tuple[str, bool]]) -> None:
    asked = [flag for flag, wanted in modes if wanted]
    if len(asked) > 1:
        raise UsageError(
            f"{' and '.join(asked)} exclude each other.", "Each shows other images: ask for one at a time."
        )


def _refuse_idle_flags(resolved: Resolved, model: Path | None, split: str | None, augmented: bool) -> None:
    """Raises UsageError (exit 2) for a missing model, and for flags that would change nothing."""
    if model is None and not augmented:
        raise UsageError("No model is named, and none is guessed.", f"Expected a run folder or a file. {newest_runs()}")
    given = [setting for setting in options_of("samples") if resolved.given(setting.path)]
    changes = [setting.flag for setting in given if setting.section == "augment"]
    if changes and not augmented:
        raise UsageError(f"{changes[0]} says how training images are changed.", "Add --augmented to see them.")
    fixed = [s.flag for s in given if s.section == "model" or s.key in ("val_fraction", "test_fraction")]
    if fixed and model is not None:
        raise UsageError(f"{model} decides what {fixed[0]} says.", f"Leave {fixed[0]} away, or name --data alone.")
    if augmented and split not in (None, "train"):
        raise UsageError(f"--split {split} is never augmented, only train is.", "Leave --split away.")
