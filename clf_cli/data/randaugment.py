"""RandAugment: two operations of a fixed set of fourteen per image, at one magnitude from 1 to 30.

The set and its ranges are those of the paper's common implementations; the geometric ones join the one warp of the
image, the others change colours with Pillow.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from clf_cli.data.draws import FloatArray
from clf_cli.data.matrices import Matrices, affine, shift

OPERATIONS = 2
MAGNITUDES = 30

# Each takes a signed strength from -1 to 1; 1 is magnitude 30.
GEOMETRIC: dict[str, Callable[[FloatArray], Matrices]] = {
    "rotate": lambda strength: affine(rotate=30 * strength),
    "shear-x": lambda strength: affine(shear_x=0.3 * strength),
    "shear-y": lambda strength: affine(shear_y=0.3 * strength),
    "shift-x": lambda strength: shift(0.9 * strength, 0.0 * strength),
    "shift-y": lambda strength: shift(0.0 * strength, 0.9 * strength),
}
COLOURS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "identity": lambda image, strength: image,
    "brightness": lambda image, strength: ImageEnhance.Brightness(image).enhance(1 + 0.9 * strength),
    "color": lambda image, strength: ImageEnhance.Color(image).enhance(1 + 0.9 * strength),
    "contrast": lambda image, strength: ImageEnhance.Contrast(image).enhance(1 + 0.9 * strength),
    "sharpness": lambda image, strength: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * strength),
    "posterize": lambda image, strength: ImageOps.posterize(image, 8 - round(4 * abs(strength))),
    "solarize": lambda image, strength: ImageOps.solarize(image, math.ceil(256 - 256 * abs(strength))),
    "autocontrast": lambda image, strength: ImageOps.autocontrast(image),
    "equalize": lambda image, strength: ImageOps.equalize(image),
}
NAMES = (*GEOMETRIC, *COLOURS)


@dataclass(frozen=True)
class Choice:
    """An operation and its signed strength, -1 to 1."""

    name: str
    strength: float

    @property
    def moves(self) -> bool:
        return self.name in GEOMETRIC


def choose(magnitude: int, draws: list[float]) -> list[Choice]:
    """The operations of one image; none at magnitude 0. Uses two of `draws` (0 to 1) for each."""
    if magnitude == 0:
        return []
    strength = magnitude / MAGNITUDES
    return [
        Choice(NAMES[int(draws[2 * i] * len(NAMES))], strength if draws[2 * i + 1] < 0.5 else -strength)
        for i in range(OPERATIONS)
    ]


def geometric(draws: FloatArray, magnitude: int, matrices: Matrices) -> Matrices:
    """(B, 3, 3) `matrices` with the geometric choices of `draws` (B, 8) in front, in their order."""
    moved = matrices.copy()
    for at in range(OPERATIONS):
        chosen = (draws[:, 2 * at] * len(NAMES)).astype(np.int64)
        strengths = np.where(draws[:, 2 * at + 1] < 0.5, magnitude, -magnitude) / MAGNITUDES
        for number, operation in enumerate(GEOMETRIC.values()):  # the first of NAMES
            of = chosen == number
            moved[of] = operation(strengths[of]) @ moved[of]
    return moved


def recolor(image: Image.Image, choices: list[Choice]) -> Image.Image:
    """The other choices, in order."""
    for choice in choices:
        if not choice.moves:
            image = COLOURS[choice.name](image, choice.strength)
    return image
