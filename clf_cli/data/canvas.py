"""A source image as training keeps it: read once, quickly where that is certain to be right, and resized once."""

import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.knobs import Augment
from clf_cli.data.placement import canvas_sizes, kept_sizes
from clf_cli.data.scan import FileFacts
from clf_cli.data.warp import Pixels, opencv
from clf_cli.errors import DataError
from clf_cli.values.preprocess import Preprocess, resize

_END = b"\xff\xd9"  # of a JPEG that nothing follows: for others the decoder writes to the terminal
_TORCH_KERNELS = ("bilinear", "bicubic")  # that torch has with antialiasing, as Pillow computes them, within one level


def read_image(root: Path, path: str) -> Image.Image:
    """Raises DataError: the scan has read every file, so one that fails now was changed since."""
    try:
        return open_image(root / path)
    except UnreadableImageError as error:
        raise DataError(
            f"Cannot read {path} any more: {error}.",
            f"It was readable when the work began: restore it in {root}, then continue with --resume or start again.",
        ) from error


def read_canvas(root: Path, path: str, facts: FileFacts, preprocess: Preprocess, augment: Augment) -> Pixels:
    """`canvas_of` a file that the scan has read. Raises DataError where it cannot be read any more.

    Plain JPEG files go through OpenCV's decoder when their bytes are those that Pillow has decoded in the scan: of
    broken ones OpenCV makes grey pictures without a word. Where the canvas needs at most a half of each side, the
    decoder itself halves it.
    """
    if augment.moves and facts.format == "JPEG" and facts.mode == "RGB" and not facts.exif_rotated:
        pixels = _decoded(root / path, facts, preprocess, augment)
        if pixels is not None:
            return _resized(pixels, (facts.width, facts.height), preprocess, augment)
    return canvas_of(read_image(root, path), preprocess, augment)


def canvas_of(image: Image.Image, preprocess: Preprocess, augment: Augment) -> Pixels:
    """(h, w, 3) uint8 of an RGB image, of `canvas_sizes`; without crops and warps it is what evaluation sees."""
    if not augment.moves:
        return np.asarray(resize(image, preprocess))
    return _resized(np.asarray(image), image.size, preprocess, augment)


def _decoded(file: Path, facts: FileFacts, preprocess: Preprocess, augment: Augment) -> Pixels | None:
    """RGB pixels at the file's size or a half, a quarter or an eighth of it; None where Pillow should look."""
    try:
        data = file.read_bytes() if file.is_file() else b""
    except OSError:
        return None
    if not data.endswith(_END) or hashlib.sha256(data).hexdigest() != facts.content_hash:
        return None
    cv2 = opencv()
    size = np.array([[facts.width, facts.height]])
    reduced = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
    part, flags = 1, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    if (kept_sizes(size, preprocess) == size).all():
        needed = canvas_sizes(size, preprocess, augment)
        part = max((part for part in reduced if (size // part >= needed).all()), default=1)
    try:
        picture: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags | reduced.get(part, 0))
    except cv2.error:
        return None
    expected = (-(-facts.height // part), -(-facts.width // part), 3)
    return None if picture is None or picture.shape != expected else picture


def _resized(pixels: Pixels, size: tuple[int, int], preprocess: Preprocess, augment: Augment) -> Pixels:
    """The middle of `pixels` that the canvas of a source of `size` (width, height) holds, at the canvas's size."""
    width, height = canvas_sizes([size], preprocess, augment)[0].tolist()
    kept = np.rint(kept_sizes([size], preprocess)[0] / size * pixels.shape[1::-1]).astype(int)
    left, top = ((np.array(pixels.shape[1::-1]) - kept) // 2).tolist()
    middle = pixels[top : top + int(kept[1]), left : left + int(kept[0])]
    if middle.shape == (height, width, 3):
        return middle
    if preprocess.interpolation not in _TORCH_KERNELS or sys.modules.get("torch") is None:  # a gallery
        kernel = Image.Resampling[preprocess.interpolation.upper()]
        return np.asarray(Image.fromarray(middle).resize((width, height), kernel))
    import torch  # its kernel for bytes takes a fifth of the time of Pillow's

    whole = np.require(middle, requirements=["C", "W"])  # a copy where torch would warn of what Pillow shares
    source = torch.from_numpy(whole)[None].permute(0, 3, 1, 2)  # channels-last: half the time
    scaled = torch.nn.functional.interpolate(source, (height, width), mode=preprocess.interpolation, antialias=True)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())
