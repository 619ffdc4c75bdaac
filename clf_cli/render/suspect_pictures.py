"""Images whose label is disputed, as a grid of pictures."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from clf_cli.engine.suspects import Suspect
from clf_cli.render.figures import SCALE, VERMILLION, Pixels
from clf_cli.render.grid import TILE, Caption, Tile, fitting, grid
from clf_cli.render.samples import answer
from clf_cli.render.text import counted, decimal, label

PIXELS = round(TILE * SCALE)  # side that a picture needs


def figure(suspects: Sequence[Suspect], pixels: Sequence[Pixels], subject: str) -> Figure:
    """The images in rows from the left with their label and the class that they are taken for.

    `pixels` are the images in the same order, (H, W, 3); raises ValueError when there is not one for each.
    """
    tiles = [
        Tile(
            image_pixels,
            VERMILLION,
            (
                Caption(fitting(f"label: {label(image.label)}", TILE)),
                answer(image.predicted, image.probability, correct=False),
                Caption(f"score {decimal(image.score, 2)}"),
            ),
        )
        for image, image_pixels in zip(suspects, pixels, strict=True)
    ]
    return grid(f"Disputed labels: {subject}", (f"{counted(len(suspects), 'image')}, the surest first",), tiles)
