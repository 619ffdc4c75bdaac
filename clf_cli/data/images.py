"""The only place that opens an image: every pixel that clf trains on, scores or draws comes through here."""

import functools
import os
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from clf_cli.data.signatures import HEAD, has_end, named_content
from clf_cli.values.preprocess import BACKGROUND

# What Pillow decodes by itself. The file's content decides, never its suffix; formats that start a program (EPS) or
# hold no pixels of their own are left out.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "QOI")
SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".qoi",
})  # fmt: skip
_COMMON = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM")  # which Pillow loads at once; all of them cost 20 ms more
MAX_PIXELS = 89_478_485  # Pillow's own line: a quarter of a gigabyte as RGB; a 48-megapixel photo is well below
MAX_ASPECT = 1000  # a network's square of a wider one would be resized by way of billions of pixels

_TAIL = 32  # zero bytes at the end of a JPEG that make it suspect; some cameras pad to blocks, after the end marker

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImageError(Exception):
    """An image that cannot be used; the text is the reason, without the path, `code` the kind of finding."""

    def __init__(self, reason: str, code: str = "CLF105") -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Opened:
    """An image as everything downstream sees it, and what its file said."""

    image: Image.Image  # mode RGB, upright
    format: str
    mode: str  # Pillow's name of the file's own pixels; RGB;16 and the like where it opens 8 of 16 bits
    rotated: bool  # whether EXIF turned it


def open_image(source: Path | BinaryIO) -> Image.Image:
    """The image as RGB, 8 bits a channel, upright.

    EXIF orientation is applied; 16-bit grey is scaled to 8; palettes and alpha are composited on BACKGROUND; CMYK is
    converted; of an animation the first frame counts. The header is checked before anything is decoded: more than
    MAX_PIXELS is refused. Raises UnreadableImageError with the reason.
    """
    return open_with_facts(source).image


def open_with_facts(source: Path | BinaryIO) -> Opened:
    """`open_image`, with format, original mode and whether EXIF turned the image."""
    if not isinstance(source, Path):
        return _open(source)
    try:
        if source.exists() and not source.is_file():  # opening a FIFO would wait forever
            raise UnreadableImageError("not a regular file")
        with source.open("rb") as file:
            return _open(file)
    except FileNotFoundError as error:
        raise UnreadableImageError("no such file", "CLF101") from error
    except OSError as error:
        raise UnreadableImageError(error.strerror or str(error)) from error
    except ValueError as error:  # a zero byte in the path
        raise UnreadableImageError("not a path that can be opened") from error


def upright_rgb(image: Image.Image) -> Image.Image:
    """What `open_image` makes of a file, of an image that is open already. Raises UnreadableImageError."""
    return _or_reason(lambda: _normal(image)).image


def _open(file: BinaryIO) -> Opened:
    if not file.read(1):
        raise UnreadableImageError("empty file (0 bytes)", "CLF102")
    file.seek(0)
    return _or_reason(lambda: _decode(file))


def _or_reason(decode: Callable[[], Opened]) -> Opened:
    try:
        return decode()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(f"more than the limit of {MAX_PIXELS:,} pixels", "CLF106") from error
    except UnreadableImageError:
        raise
    except MemoryError as error:
        raise UnreadableImageError("does not fit into memory", "CLF106") from error
    except Exception as error:  # on broken bytes Pillow's decoders raise nearly anything; each is a reason
        failed_to_read = isinstance(error, OSError) and error.errno is not None
        raise UnreadableImageError(_reason(error), "CLF105" if failed_to_read else "CLF103") from error


def _decode(file: BinaryIO) -> Opened:
    _quiet()
    with _identified(file) as image:
        if image.format == "JPEG":
            _check_end(file)
        return _normal(image)


def _identified(file: BinaryIO) -> Image.Image:
    """The image, not decoded yet. Raises UnreadableImageError where it is of no known format."""
    try:
        return Image.open(file, formats=_COMMON)
    except UnidentifiedImageError:
        try:
            return Image.open(file, formats=_formats())
        except UnidentifiedImageError:
            raise _unknown(file) from None


def _unknown(file: BinaryIO) -> UnreadableImageError:
    """Too little is left of an image of a known format, or it never was one."""
    file.seek(0)
    head = file.read(HEAD)
    if not head.strip(b"\0"):
        return UnreadableImageError("begins with zero bytes, as a file that was never written", "CLF103")
    if any(_begins(name, head) for name in _formats()):
        return UnreadableImageError("cut off or broken in its header", "CLF103")
    content = named_content(head)
    return UnreadableImageError("not an image of a known format" + (f": {content}" if content else ""), "CLF104")


def _begins(format_: str, head: bytes) -> bool:
    accept = Image.OPEN[format_][1]
    try:
        return accept is not None and accept(head) is True
    except (IndexError, ValueError, struct.error):  # Pillow asks for more bytes than there are
        return False


def _check_end(file: BinaryIO) -> None:
    """Raises UnreadableImageError for a JPEG that goes over into zero bytes, which its decoder shows as grey."""
    place = file.tell()
    if file.seek(0, os.SEEK_END) > _TAIL:
        file.seek(-_TAIL, os.SEEK_END)
        if not file.read(_TAIL).strip(b"\0"):
            file.seek(0)
            if not has_end(file.read()):
                raise UnreadableImageError("cut off: its end is zero bytes", "CLF103")
    file.seek(place)


def _normal(image: Image.Image) -> Opened:
    if image.width * image.height > MAX_PIXELS:
        reason = f"{image.width} x {image.height}: more than the limit of {MAX_PIXELS:,} pixels"
        raise UnreadableImageError(reason, "CLF106")
    if max(image.size) > MAX_ASPECT * min(image.size):
        reason = f"{image.width} x {image.height}: one side is more than {MAX_ASPECT:,} times the other"
        raise UnreadableImageError(reason, "CLF106")
    mode = _mode(image)
    image.load()
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    return Opened(_rgb(upright), image.format or "", mode, turn is not None)


@functools.cache
def _quiet() -> None:
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of broken EXIF, which counts as none


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow knows; MPO, the photos of some phones, opens as JPEG."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _mode(image: Image.Image) -> str:
    """Before load(), which forgets how many bits the file has."""
    tiles = getattr(image, "tile", None)  # of images that come from a file only
    raw = str(tiles[0][3]) if tiles else ""
    return f"{image.mode};16" if ";16" in raw and not image.mode.startswith("I") else image.mode


def _orientation(image: Image.Image) -> int:
    """After load(): Pillow turns TIFF files itself while loading and drops the tag. Broken EXIF counts as none."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - the pixels are whole; nearly anything may be raised for bytes that are not EXIF
        return 1
    return value if isinstance(value, int) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _scaled_grey(image)
    if image.mode == "F":
        raise UnreadableImageError("floating-point pixels have no fixed range: save it with 8 or 16 bits", "CLF108")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _scaled_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableImageError("32-bit grey pixels have no fixed range: save it with 8 or 16 bits", "CLF108")
    grey = ((values + 128) // 257).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
