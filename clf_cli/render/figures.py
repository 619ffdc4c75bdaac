"""The look of every picture, and how it becomes a file. Lengths are points, two pixels each, from the top left."""

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import text_to_path
from PIL import Image

from clf_cli.files import write_atomic

DPI = 144
SCALE = DPI // 72  # pixels per point

INK = "#1f2328"
FAINT = "#656d76"
LINE = "#d0d7de"
# Okabe and Ito's colours, which colour-blind people can tell apart
BLUE, SKY, VERMILLION, GREEN, PURPLE = "#0072b2", "#56b4e9", "#d55e00", "#009e73", "#8a5a9e"

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB

_FAMILIES = (  # after matplotlib's own DejaVu Sans: whatever is installed for scripts that it lacks
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans", "WenQuanYi Zen Hei"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("Noto Sans", "Noto Sans Symbols", "Noto Emoji", "Segoe UI Symbol", "Arial Unicode MS"),
)


@dataclass(frozen=True)
class TextStyle:
    """How a text is set; `x` and `y` of `write` are its anchor, before it is turned by `rotation` degrees."""

    size: float = 9.0
    color: str = INK
    bold: bool = False
    horizontal: Literal["left", "center", "right"] = "left"
    vertical: Literal["top", "center", "baseline", "bottom", "center_baseline"] = "baseline"
    rotation: float = 0.0


TITLE = TextStyle(size=13, bold=True)
SUBTITLE = TextStyle(size=9, color=FAINT)


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure, Agg behind it, no part of pyplot's state."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def write(figure: Figure, x: float, y: float, text: str, style: TextStyle = TextStyle()) -> None:
    """Puts a text on the figure as it stands: `$` and `_` mean themselves."""
    width, height = figure.get_size_inches() * 72
    figure.text(
        x / width,
        1 - y / height,
        encodable(text),
        fontproperties=font(style.size, style.bold),
        color=style.color,
        horizontalalignment=style.horizontal,
        verticalalignment=style.vertical,
        rotation=style.rotation,
        rotation_mode="anchor",
        parse_math=False,
        usetex=False,
    )


def write_title(figure: Figure, x: float, title: str, lines: tuple[str, ...]) -> None:
    """The title and the lines below it, at the top of the figure."""
    write(figure, x, 24, title, TITLE)
    for number, line in enumerate(lines):
        write(figure, x, 40 + 13 * number, line, SUBTITLE)


class _Painting(Artist):
    """Pixels as they are; matplotlib's own images resample, which takes longer than the rest of a picture."""

    def __init__(self, pixels: Pixels, left: int, bottom: int) -> None:
        super().__init__()
        opaque = np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)
        self._rows_from_below = np.concatenate((pixels, opaque), axis=2)[::-1]
        self._left, self._bottom = left, bottom

    def draw(self, renderer: RendererBase) -> None:
        renderer.draw_image(renderer.new_gc(), self._left, self._bottom, self._rows_from_below)


def paint(figure: Figure, pixels: Pixels, x: float, y: float) -> None:
    """Puts pixels on the figure one to one, without resampling, behind every text."""
    bottom = round(figure.get_size_inches()[1] * DPI) - round(y * SCALE) - len(pixels)
    figure.add_artist(_Painting(pixels, round(x * SCALE), bottom))


def colored(height: int, width: int, color: str) -> Pixels:
    """Pixels of one colour, `#rrggbb`."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[:] = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return pixels


def framed(pixels: Pixels) -> Pixels:
    """With a thin line around, one pixel on every side."""
    frame = colored(pixels.shape[0] + 2, pixels.shape[1] + 2, LINE)
    frame[1:-1, 1:-1] = pixels
    return frame


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all (RunError): the same figure gives the same bytes, no time or version in it."""
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*Glyph .* missing from", category=UserWarning)
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib's own types stop here
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # as above
    image = Image.fromarray(pixels).convert("RGB")
    write_atomic(path, lambda file: image.save(file, "PNG", compress_level=4, dpi=(DPI, DPI)))


def text_width(text: str, size: float, bold: bool = False) -> float:
    """In points."""
    text = encodable(text)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*Glyph .* missing from", category=UserWarning)
        width, _, _ = text_to_path.get_text_width_height_descent(text, font(size, bold), ismath=False)
    return float(width)


def encodable(text: str) -> str:
    """Bytes of file names that are no text, which fonts refuse, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def drawable(text: str) -> bool:
    """Whether an installed font has every character."""
    return text.isascii() or _characters().issuperset(map(ord, text))


@cache
def font(size: float, bold: bool = False) -> FontProperties:
    """The font of every text, with what is installed for scripts that it lacks."""
    return FontProperties(family=_installed(), size=size, weight="bold" if bold else "normal")


@cache
def _installed() -> tuple[str, ...]:
    names = set(fontManager.get_font_names())
    return ("DejaVu Sans", *(family for family in _FAMILIES if family in names))


@cache
def _characters() -> frozenset[int]:
    fonts = (get_font(findfont(FontProperties(family=family))) for family in _installed())
    return frozenset(code for font in fonts for code in font.get_charmap())
