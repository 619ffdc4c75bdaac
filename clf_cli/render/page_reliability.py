"""Confidence against accuracy as shapes of an SVG picture."""

from dataclasses import dataclass

from clf_cli.engine.stored_reports import CalibrationFacts
from clf_cli.render.text import percent

SIDE, CORNER = 240.0, (46.0, 8.0)  # of the square from 0 to 100 %, and where it begins
LARGEST = 11.0  # radius of the fullest bin
SMALLEST = 2.5


@dataclass(frozen=True)
class Dot:
    """A bin of images; its area grows with them."""

    x: float
    y: float
    radius: float
    style: str  # a class of page.css
    title: str


def reliability(found: CalibrationFacts) -> tuple[Dot, ...]:
    """The bins before and after the temperature, those of after in front."""
    most = max((one.images for one in (*found.before, *found.after)), default=1)
    left, top = CORNER
    return tuple(
        Dot(
            x=round(left + SIDE * one.confidence, 1),
            y=round(top + SIDE * (1 - one.accuracy), 1),
            radius=round(max(SMALLEST, LARGEST * (one.images / most) ** 0.5), 1),
            style=style,
            title=f"{style}: {one.images:,} images, {percent(one.confidence)} sure, {percent(one.accuracy)} right",
        )
        for style, bins in (("before", found.before), ("after", found.after))
        for one in bins
    )
