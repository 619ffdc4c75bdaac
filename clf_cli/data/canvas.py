"""A source image as training keeps it: read once, quickly where that is certain to be right, and resized once."""

import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.knobs import Augment
from clf_cli.data.placement import Cut, canvas_cuts
from clf_cli.data.scan import READ, FileFacts
from clf_cli.data.warp import Pixels, opencv
from clf_cli.errors import DataError
from clf_cli.values.preprocess import Preprocess, resize

if TYPE_CHECKING:
    from torch import Tensor

_END = b"\xff\xd9"  # of a JPEG that nothing follows: for others the decoder writes to the terminal
_TORCH_KERNELS = ("bilinear", "bicubic")  # that torch has with antialiasing, as Pillow computes them, within two levels


def read_image(root: Path, path: str) -> Image.Image:
    """Raises DataError: the scan has read every file, so one that fails now was changed since."""
    try:
        return open_image(root / path)
    except UnreadableImageError as error:
        raise DataError(
            f"Cannot read {path} any more: {error}.",
            f"It was readable when the work began: restore it in {root}, then continue with --resume or start again.",
        ) from error


def read_canvas(
    root: Path, path: str, facts: FileFacts, preprocess: Preprocess, augment: Augment, cut: Cut | None = None
) -> Pixels:
    """`canvas_of` a file that the scan has read. Raises DataError where it cannot be read any more.

    `cut` is its `canvas_cuts`, which cost 2 us an image for many at once, and 60 for one.

    Plain JPEG files go through OpenCV's decoder when their bytes are those that Pillow has decoded in the scan: of
    broken ones OpenCV makes grey pictures without a word. Where the canvas needs at most a half of each side, the
    decoder itself halves it.
    """
    if augment.moves and facts.format == "JPEG" and facts.mode == "RGB" and not facts.exif_rotated:
        cut = canvas_cuts([(facts.width, facts.height)], preprocess, augment)[0] if cut is None else cut
        pixels = _decoded(os.path.join(root, path), facts, cut)  # noqa: PTH118 - a Path takes longer than reading
        if pixels is not None:
            return _resized(pixels, cut, preprocess)
    image = read_image(root, path)
    pixels = canvas_of(image, preprocess, augment)
    if cut is not None and pixels.shape[1::-1] != cut.size:
        raise DataError(
            f"{path} is another image now: {image.width} x {image.height} pixels, {facts.width} x {facts.height} "
            "when the work began.",
            f"Restore it in {root}, then continue with --resume; or start again.",
        )
    return pixels


def canvas_of(image: Image.Image, preprocess: Preprocess, augment: Augment) -> Pixels:
    """(h, w, 3) uint8 of an RGB image, of `canvas_sizes`; without crops and warps it is what evaluation sees."""
    if not augment.moves:
        return np.asarray(resize(image, preprocess))
    return _resized(np.asarray(image), canvas_cuts([image.size], preprocess, augment)[0], preprocess)


def _decoded(file: str, facts: FileFacts, cut: Cut) -> Pixels | None:
    """RGB pixels at the file's size or a half, a quarter or an eighth of it; None where Pillow should look."""
    data = _read(file, facts.bytes)
    if not data.endswith(_END) or hashlib.sha256(data).hexdigest() != facts.content_hash:
        return None
    cv2 = opencv()
    reduced = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | reduced.get(cut.reduced, 0)
    try:
        picture: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    expected = (-(-facts.height // cut.reduced), -(-facts.width // cut.reduced), 3)
    return None if picture is None or picture.shape != expected else picture


def _read(file: str, size: int) -> bytes:
    """A regular file of that many bytes; nothing of any other. A Path's own methods take 9 us more."""
    try:
        handle = os.open(file, READ)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return b""
            return os.read(handle, size)  # parts, as some file systems give them, have another hash
        finally:
            os.close(handle)
    except (OSError, ValueError):
        return b""


def _resized(pixels: Pixels, cut: Cut, preprocess: Preprocess) -> Pixels:
    """What `cut` keeps of a source that was decoded whole, or reduced as it says, at the size of its canvas."""
    width, height = cut.size
    middle = pixels
    if cut.reduced == 1:
        left, top, right, bottom = cut.kept
        middle = pixels[top:bottom, left:right]
    if middle.shape == (height, width, 3):
        return middle
    if preprocess.interpolation not in _TORCH_KERNELS or sys.modules.get("torch") is None:  # a gallery
        kernel = Image.Resampling[preprocess.interpolation.upper()]
        return np.asarray(Image.fromarray(middle).resize((width, height), kernel))
    import torch  # its kernel for bytes takes a fifth of the time of Pillow's

    whole = np.require(middle, requirements=["C", "W"])  # a copy where torch would warn of what Pillow shares
    scaled = torch.from_numpy(whole)[None].permute(0, 3, 1, 2)  # channels-last: half the time
    if height < scaled.shape[2]:  # rows first, where that leaves fewer of them: 13 to 25 % of the time
        scaled = _scaled(scaled, (height, scaled.shape[3]), preprocess)
    if scaled.shape[2:] != (height, width):
        scaled = _scaled(scaled, (height, width), preprocess)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())


def _scaled(pixels: "Tensor", size: tuple[int, int], preprocess: Preprocess) -> "Tensor":
    from torch.nn.functional import interpolate

    return interpolate(pixels, size, mode=preprocess.interpolation, antialias=True)
