"""Train images before and after augmentation: a table of what is shown, and a grid."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clf_cli.engine.augmented import AugmentedResult
from clf_cli.render.figures import FAINT, INK, LINE, Pixels
from clf_cli.render.grid import TILE, Caption, Tile, fitting, grid
from clf_cli.render.text import label


def table(result: AugmentedResult) -> RenderableType:
    """One row per image, then what is done to them."""
    rows = Table()
    for name in ("image", "class"):
        rows.add_column(name, overflow="fold")
    for image in result.images:
        rows.add_row(Text(image.path), Text(label(image.label)))
    return Group(rows, *(Text(line) for line in summary(result)))


def summary(result: AugmentedResult) -> tuple[str, ...]:
    """The preset with the knobs that are on, which draws are shown, and what a single image cannot show."""
    off = {"crop_scale": 1.0}
    knobs = [
        f"{key.replace('_', '-')}{'' if value is True else f' {value:g}'}"
        for key, value in result.knobs.items()
        if value != off.get(key, 0) and not (key == "erase_area" and not result.augment.erase)
    ]
    mixes = [f"{name} {value:g}" for name, value in (("mixup", result.mixup), ("cutmix", result.cutmix)) if value]
    return (
        f"preset {result.augment.preset}: {', '.join(knobs) or 'nothing is changed'}",
        f"as epochs 1 to {result.epochs} see them with seed {result.seed}",
        *([f"not shown: {', '.join(mixes)}, which mixes images of a batch"] if mixes else []),
    )


def figure(result: AugmentedResult, pixels: Sequence[Sequence[Pixels]], subject: str = "") -> Figure:
    """A row per image: the original as evaluation sees it, then one draw of each epoch.

    `pixels` are those of `augmented_pixels`; `subject` says whose images they are.
    """
    tiles = []
    for image, (original, *draws) in zip(result.images, pixels, strict=True):
        name = Caption(fitting(label(image.label), TILE), bold=True)
        tiles.append(Tile(original, INK, (name,)))
        tiles += [Tile(drawn, LINE, (Caption(f"epoch {epoch}", FAINT),)) for epoch, drawn in enumerate(draws, 1)]
    title = "Training images after augmentation"
    return grid(f"{title}: {subject}" if subject else title, summary(result), tiles, 1 + result.epochs)
