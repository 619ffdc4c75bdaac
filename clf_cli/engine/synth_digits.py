"""Jersey digits as masks: block digits drawn from strokes, and the bold fonts that ship with matplotlib."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from clf_cli.errors import ClfError

HEIGHT = 72  # pixels of a digit's fill
MARGIN = 10  # pixels around it, room for the outline
OVERSAMPLE = 2  # strokes are drawn this much larger, since Pillow's lines have hard edges
UNIT = HEIGHT / 6  # strokes live in a box 4 wide and 6 high

Point = tuple[float, float]
Masks = tuple[Image.Image, Image.Image]  # mode L, equal sizes: the fill, and the fill with its outline

STROKES: dict[str, tuple[tuple[Point, ...], ...]] = {
    "0": (((1, 0), (3, 0), (4, 1), (4, 5), (3, 6), (1, 6), (0, 5), (0, 1), (1, 0), (2, 0)),),
    "1": (((0.6, 1.2), (1.7, 0), (1.7, 6.6)),),
    "2": (((0, 1.7), (0, 1), (1, 0), (3, 0), (4, 1), (4, 2.3), (0, 5), (0, 6), (4, 6)),),
    "3": (
        ((0, 1.5), (0, 1), (1, 0), (3, 0), (4, 1), (4, 2.2), (3.2, 2.9), (1.6, 2.9)),
        ((3.2, 2.9), (4, 3.7), (4, 5), (3, 6), (1, 6), (0, 5), (0, 4.5)),
    ),
    "4": (((3, 6.6), (3, 0), (2.6, 0), (0, 3.7), (0, 4.4), (4.4, 4.4)),),
    "5": (((3.9, 0), (0.1, 0), (0.1, 2.6), (3, 2.6), (4, 3.5), (4, 5), (3, 6), (1, 6), (0, 5), (0, 4.5)),),
    "6": (((4, 1.5), (4, 1), (3, 0), (1, 0), (0, 1), (0, 5), (1, 6), (3, 6), (4, 5), (4, 3.6), (3, 2.7), (0, 2.7)),),
    "7": (((0, 1.3), (0, 0), (4, 0), (4, 0.9), (1.6, 6.6)),),
    "8": (
        ((1, 0), (3, 0), (4, 1), (4, 2.1), (3.2, 2.9), (4, 3.7), (4, 5), (3, 6), (1, 6), (0, 5), (0, 3.7), (0.8, 2.9)),
        ((3.2, 2.9), (0.8, 2.9), (0, 2.1), (0, 1), (1, 0), (2, 0)),
    ),
    "9": (((0, 4.5), (0, 5), (1, 6), (3, 6), (4, 5), (4, 1), (3, 0), (1, 0), (0, 1), (0, 2.4), (1, 3.3), (4, 3.3)),),
}
BLOCKS = {"block": 1.25, "block-heavy": 1.55, "block-light": 1.0}  # face -> stroke width in units
# DejaVu Sans Mono is left out: its zero is dotted, and no jersey's is.
FONTS = ("DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSerif-Bold", "STIXGeneralBol")
FACES = (*BLOCKS, *FONTS)


def number_masks(text: str, face: str, outline: int) -> Masks:
    """The masks of `text` (digits only) in one of FACES, with an outline of so many pixels (0 to MARGIN)."""
    glyphs = [_glyph(character, face, outline) for character in text]
    gap = 7 + outline - 2 * MARGIN
    width = sum(fill.width + gap for fill, _ in glyphs) - gap
    masks = (Image.new("L", (width, HEIGHT + 2 * MARGIN)), Image.new("L", (width, HEIGHT + 2 * MARGIN)))
    left = 0
    for glyph in glyphs:
        for mask, part in zip(masks, glyph, strict=True):
            mask.paste(255, (left, 0), part)
        left += glyph[0].width + gap
    return masks


@cache
def font_file(name: str) -> Path:
    """Where matplotlib keeps one of its fonts, found without importing it. Raises ClfError when it is not there."""
    spec = find_spec("matplotlib")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
        if file.is_file():
            return file
    raise ClfError(f"The font {name}.ttf that ships with matplotlib is missing.", "Reinstall matplotlib.")


@cache
def font(name: str, height: int) -> ImageFont.FreeTypeFont:
    """The font at the size whose digit 8 is `height` pixels high."""
    trial = ImageFont.truetype(font_file(name), 200, layout_engine=ImageFont.Layout.BASIC)
    _, top, _, bottom = trial.getbbox("8", anchor="ls")
    return ImageFont.truetype(font_file(name), 200 * height / (bottom - top), layout_engine=ImageFont.Layout.BASIC)


@cache
def _glyph(character: str, face: str, outline: int) -> Masks:
    if face in BLOCKS:
        return _block(character, BLOCKS[face], 0), _block(character, BLOCKS[face], outline)
    return _typeset(character, face, 0), _typeset(character, face, outline)


def _typeset(character: str, face: str, outline: int) -> Image.Image:
    size = font(face, HEIGHT)
    left, _, right, _ = size.getbbox(character, anchor="ls")
    mask = Image.new("L", (round(right - left) + 2 * MARGIN, HEIGHT + 2 * MARGIN))
    ImageDraw.Draw(mask).text(
        (MARGIN - left, HEIGHT + MARGIN), character, fill=255, font=size, anchor="ls", stroke_width=outline
    )
    return mask


def _block(character: str, stroke: float, outline: int) -> Image.Image:
    """A digit of thick straight strokes whose outer edges are HEIGHT high."""
    scale = UNIT * (6 - stroke) / 6
    inset = MARGIN + stroke * UNIT / 2
    units = 2.2 if character == "1" else 4.0
    size = (round(2 * inset + units * scale), HEIGHT + 2 * MARGIN)
    mask = Image.new("L", (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE))
    draw = ImageDraw.Draw(mask)
    width = round((stroke * UNIT + 2 * outline) * OVERSAMPLE)
    for points in STROKES[character]:
        placed = [((inset + x * scale) * OVERSAMPLE, (inset + y * scale) * OVERSAMPLE) for x, y in points]
        draw.line(_lengthened(placed, outline * OVERSAMPLE), fill=255, width=width, joint="curve")
    return mask.reduce(OVERSAMPLE)


def _lengthened(points: list[Point], by: float) -> list[Point]:
    """The line with both ends moved outwards, so that an outline goes around them."""
    return [_beyond(points[1], points[0], by), *points[1:-1], _beyond(points[-2], points[-1], by)]


def _beyond(start: Point, end: Point, by: float) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    return end[0] + dx / length * by, end[1] + dy / length * by
