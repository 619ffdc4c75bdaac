"""One crop of a jersey number, drawn: fabric, lettering, number, perspective; what broadcast does to it comes after."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from clf_cli.engine.synth_broadcast import Wear, broadcast
from clf_cli.engine.synth_digits import BLOCKS, FONTS, HEIGHT, MARGIN, font, number_masks

Color = tuple[int, int, int]
FloatArray = npt.NDArray[np.float32]

COLORS: dict[str, Color] = {
    "white": (232, 230, 235),
    "black": (30, 28, 32),
    "navy": (26, 32, 84),
    "royal": (36, 72, 182),
    "sky": (118, 176, 222),
    "red": (186, 30, 46),
    "maroon": (104, 22, 42),
    "purple": (84, 44, 140),
    "gold": (238, 178, 34),
    "orange": (232, 106, 32),
    "green": (22, 104, 62),
    "teal": (20, 122, 134),
    "grey": (146, 148, 156),
    "cream": (232, 218, 186),
}
SKIN: tuple[Color, ...] = ((236, 190, 160), (198, 142, 106), (140, 92, 64), (88, 58, 44))
COURT: tuple[Color, ...] = ((196, 142, 86), (58, 46, 54), (120, 40, 52), (40, 70, 110))
PAD = 32  # pixels drawn around the crop, so that turning it never shows an edge
SIDES = (17, 63)  # least and largest side of an image, as in broadcast crops
LETTERS = "ACEHILMNORSTV"


@dataclass(frozen=True)
class Kit:
    """What a team wears: names in COLORS, a face of the digits, an outline in pixels (0 is none)."""

    jersey: str
    number: str
    outline: str
    face: str
    outline_width: int


@dataclass(frozen=True)
class Scene:
    """A drawing larger than its crop by PAD on every side; `number` is the box of the digits in it."""

    canvas: Image.Image
    number: tuple[int, int, int, int]


def draw_jersey(
    label: str, rng: np.random.Generator, heights: Sequence[int] = ()
) -> tuple[Image.Image, dict[str, str]]:
    """A small RGB image of `label` on a jersey, and its metadata (jersey_color, number_color, blur, source).

    `label` is one to three digits, or empty for a number that cannot be read: none there, smeared, or covered.
    `heights` are the pixel heights to choose from; without them they are those of broadcast crops.
    """
    kit = _kit(rng)
    state = str(rng.choice(("bare", "smeared", "covered"), p=(0.5, 0.3, 0.2))) if not label else "read"
    text = label if state == "read" else str(rng.integers(1, 100)) if state != "bare" else ""
    scene = _scene(text or "00", bool(text), kit, rng)
    if state == "covered":
        _cover(scene, rng)
    elif rng.random() < 0.12:
        _touch(scene, rng)
    crop = _turned(_shaded(scene.canvas, rng), rng)
    wear = Wear.smeared(rng) if state == "smeared" else Wear.usual(rng)
    image = broadcast(crop.resize(_size(crop, heights, rng), Image.Resampling.BICUBIC, reducing_gap=2.0), wear, rng)
    colors = {"jersey_color": kit.jersey, "number_color": kit.number if text else "none"}
    return image, {**colors, "blur": wear.blur, "source": "synth"}


@cache
def pairs() -> tuple[tuple[str, str], ...]:
    """Every (jersey, number) colour that can be told apart by brightness."""
    return tuple((a, b) for a in COLORS for b in COLORS if abs(_luma(COLORS[a]) - _luma(COLORS[b])) > 70)


def _kit(rng: np.random.Generator) -> Kit:
    jersey, number = pairs()[rng.integers(len(pairs()))]
    outlines = [name for name in COLORS if abs(_luma(COLORS[name]) - _luma(COLORS[number])) > 60]
    faces, width = (tuple(BLOCKS), (0, 5, 7, 9)) if rng.random() < 0.7 else (FONTS, (0, 3, 5, 7))
    return Kit(
        jersey=jersey,
        number=number,
        outline=outlines[rng.integers(len(outlines))],
        face=faces[rng.integers(len(faces))],
        outline_width=width[rng.integers(4)],
    )


def _scene(text: str, shown: bool, kit: Kit, rng: np.random.Generator) -> Scene:
    """The jersey with `text` on it, or only room for it."""
    masks = number_masks(text, kit.face, kit.outline_width)
    height = 64 / HEIGHT
    size = (round(masks[0].width * height * rng.uniform(0.5, 0.86)), round(masks[0].height * height))
    left, top, right, bottom = _margins(size, rng)
    canvas = Image.new(
        "RGB", (size[0] + left + right + 2 * PAD, size[1] + top + bottom + 2 * PAD), _near(COLORS[kit.jersey], rng)
    )
    corner = (PAD + left, PAD + top)
    inset = round(MARGIN * height)
    box = (corner[0] + inset, corner[1] + inset, corner[0] + size[0] - inset, corner[1] + size[1] - inset)
    _decorate(Scene(canvas, box), kit, rng)
    if shown:
        fill, outlined = (mask.resize(size, Image.Resampling.BILINEAR) for mask in masks)
        if kit.outline_width:
            canvas.paste(_near(COLORS[kit.outline], rng), corner, outlined)
        canvas.paste(_near(COLORS[kit.number], rng), corner, fill)
    return Scene(canvas, box)


def _margins(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in pixels; now and then one side cuts a little of the number off."""
    margins = [rng.uniform(-5, 15), rng.uniform(2, 22), rng.uniform(-5, 15), rng.uniform(0, 20)]
    if rng.random() < 0.12:
        side = int(rng.integers(4))
        margins[side] = -MARGIN - rng.uniform(0.0, 0.1) * min(size)
    left, top, right, bottom = (round(margin) for margin in margins)
    return left, top, right, bottom


def _decorate(scene: Scene, kit: Kit, rng: np.random.Generator) -> None:
    """Pinstripes, the jersey's edge, an armhole, lettering above the number, a band below it: each now and then."""
    draw = ImageDraw.Draw(scene.canvas)
    width, height = scene.canvas.size
    trim = _near(COLORS[kit.outline], rng)
    if rng.random() < 0.1:
        for x in range(int(rng.integers(0, 14)), width, int(rng.integers(14, 24))):
            draw.line((x, 0, x, height), fill=trim, width=1)
    if rng.random() < 0.35:
        _edge(scene.canvas, trim, rng)
    if rng.random() < 0.2:
        across, down = rng.uniform(20, 50), rng.uniform(10, 30)
        middle = int(rng.choice((0, width)))
        box = (middle - across, -down, middle + across, PAD + down)
        draw.ellipse(box, fill=_near(SKIN[rng.integers(len(SKIN))], rng), outline=trim, width=5)
    if rng.random() < 0.4:
        _lettering(scene, _near(COLORS[kit.number], rng), rng)
    if rng.random() < 0.12:
        draw.rectangle((0, min(height, scene.number[3] + rng.uniform(14, 24)), width, height), fill=trim)


def _edge(canvas: Image.Image, trim: Color, rng: np.random.Generator) -> None:
    """What is behind the player, on one side, and the jersey's trim along it."""
    behind = _near((*COURT, *SKIN)[rng.integers(len(COURT) + len(SKIN))], rng)
    reach, lean = rng.uniform(PAD * 0.5, PAD + 10), rng.uniform(-16, 16)
    corners = [(0.0, 0.0), (reach + lean, 0.0), (reach - lean, float(canvas.height)), (0.0, float(canvas.height))]
    if rng.random() < 0.5:
        corners = [(canvas.width - x, y) for x, y in corners]
    draw = ImageDraw.Draw(canvas)
    draw.polygon(corners, fill=behind)
    draw.line(corners[1:3], fill=trim, width=int(rng.integers(3, 9)))


def _lettering(scene: Scene, color: Color, rng: np.random.Generator) -> None:
    """A name just above the number."""
    left, top, right, _ = scene.number
    letters = "".join(LETTERS[index] for index in rng.integers(len(LETTERS), size=rng.integers(4, 8)))
    at = ((left + right) / 2 + rng.uniform(-8, 8), top - rng.uniform(6, 14))
    face = font(FONTS[0], int(rng.integers(12, 19)))
    ImageDraw.Draw(scene.canvas).text(at, letters, fill=color, font=face, anchor="ms")


def _cover(scene: Scene, rng: np.random.Generator) -> None:
    """An arm, a ball or another player over nearly all of the number."""
    left, top, right, bottom = scene.number
    draw = ImageDraw.Draw(scene.canvas)
    color = _near((*SKIN, (206, 104, 44), *COLORS.values())[rng.integers(len(SKIN) + 1 + len(COLORS))], rng)
    slack = rng.uniform(-4, 4, size=4)
    if rng.random() < 0.5:
        draw.ellipse((left - 22 + slack[0], top - 14 + slack[1], right + 22, bottom + 14 + slack[3]), fill=color)
    else:
        lean = rng.uniform(-14, 14)
        draw.polygon(
            [
                (left - 8 + lean, 0),
                (right + 8 + lean, 0),
                (right + 8 - lean, bottom + 90),
                (left - 8 - lean, bottom + 90),
            ],
            fill=color,
        )


def _touch(scene: Scene, rng: np.random.Generator) -> None:
    """An arm over a corner of the number: at most about a fifth of its width is gone."""
    left, top, right, bottom = scene.number
    reach = rng.uniform(0.05, 0.2) * (right - left)
    color = _near(SKIN[rng.integers(len(SKIN))], rng)
    start, end = rng.uniform(top, bottom, size=2)
    arm = [(-40.0, start - 12), (left + reach, start), (left + reach * 0.8, start + 16), (-40.0, end + 40)]
    if rng.random() < 0.5:
        arm = [(left + right - x, y) for x, y in arm]
    ImageDraw.Draw(scene.canvas).polygon(arm, fill=color)


def _shaded(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light that varies over the cloth, and folds."""
    width, height = canvas.size
    light = Image.fromarray(rng.normal(1.0, 0.13, (4, 4)).astype(np.float32)).resize(
        canvas.size, Image.Resampling.BICUBIC
    )
    shade: FloatArray = np.array(light, dtype=np.float32)
    for _ in range(int(rng.integers(0, 3))):
        angle, wave = rng.uniform(0, np.pi), rng.uniform(18, 50)
        y = np.arange(height, dtype=np.float32)[:, None] * np.float32(np.sin(angle) / wave)
        x = np.arange(width, dtype=np.float32)[None, :] * np.float32(np.cos(angle) / wave)
        ridge = np.sin((x + y + shade) * np.float32(2 * np.pi) + np.float32(rng.uniform(0, 6.3)))
        shade += np.float32(rng.uniform(0.03, 0.1)) * ridge * np.abs(ridge)
    pixels = np.asarray(canvas, dtype=np.float32) * np.clip(shade, 0.45, 1.35)[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _turned(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The crop out of the middle of the canvas, turned, sheared and in perspective."""
    width, height = canvas.width - 2 * PAD, canvas.height - 2 * PAD
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    corners = (square + rng.uniform(-0.05, 0.05, (4, 2))) * (width, height)
    angle = np.clip(rng.normal(0.0, 0.12), -0.3, 0.3)
    slant = np.clip(rng.normal(0.0, 0.15), -0.35, 0.35)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = corners @ np.array([[1.0, 0.0], [slant, 1.0]]) @ turn + (canvas.width / 2, canvas.height / 2)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    data = _perspective(target, corners)
    return canvas.transform((width, height), Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)


def _perspective(points: npt.NDArray[np.float64], sources: npt.NDArray[np.float64]) -> list[float]:
    """The eight numbers by which Pillow maps four points of the result, (4, 2), to four of the source, (4, 2)."""
    rows = np.zeros((8, 8))
    rows[0::2, 0:2] = rows[1::2, 3:5] = points
    rows[0::2, 2] = rows[1::2, 5] = 1
    rows[0::2, 6:8] = -points * sources[:, :1]
    rows[1::2, 6:8] = -points * sources[:, 1:]
    solved: list[float] = np.linalg.solve(rows, sources.reshape(8)).tolist()
    return solved


def _size(crop: Image.Image, heights: Sequence[int], rng: np.random.Generator) -> tuple[int, int]:
    """Width and height of the image, within SIDES unless `heights` say otherwise."""
    if heights:
        height = float(heights[int(rng.integers(len(heights)))])
        return max(8, round(crop.width * height / crop.height)), max(8, round(height))
    height = float(np.clip(rng.lognormal(np.log(38), 0.24), 24, SIDES[1]))
    width = np.clip(crop.width * height / crop.height, *SIDES)
    return round(float(width)), round(height)


def _near(color: Color, rng: np.random.Generator) -> Color:
    red, green, blue = (int(value) for value in np.clip(np.array(color) + rng.normal(0, 9, 3), 0, 255))
    return red, green, blue


def _luma(color: Color) -> float:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
