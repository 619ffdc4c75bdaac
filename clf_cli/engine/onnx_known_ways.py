"""The known ways to be wrong: what programs around a model do otherwise than its contract says."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from clf_cli.engine.onnx_consumer import Recipe

_BOX = "box"  # Pillow's, and OpenCV's INTER_AREA where it shrinks
KERNELS = ("nearest", "bilinear", "bicubic", "lanczos")
CROP_SHARES = (1.0, 0.95, 0.9, 0.875, 0.8)
BARS = ((0, 0, 0), (114, 114, 114), (128, 128, 128), (255, 255, 255))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NOTHING = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
NORMALISATIONS = (
    _NOTHING,
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    IMAGENET,
)  # mean and deviation, after the division by 255


def known_ways(recipe: Recipe) -> tuple[Recipe, ...]:
    """`recipe`, wrong in each of the known ways: one stage each, and what OpenCV does to kernel and antialias at once.

    The same recipe stands there once.
    """
    return tuple(way for way in dict.fromkeys(_ways(recipe)) if way != recipe)


def _ways(recipe: Recipe) -> Iterator[Recipe]:
    yield replace(recipe, exif=False)
    yield replace(recipe, flatten=False)
    for shade in (0, 255):
        yield replace(recipe, background=(shade, shade, shade))
    yield replace(recipe, color="BGR" if recipe.color == "RGB" else "RGB")
    yield from _resizes(recipe)
    if recipe.dtype != "uint8":  # else the file normalises by itself
        mirrored = recipe.mean[::-1], recipe.std[::-1]
        yield replace(recipe, color="BGR" if recipe.color == "RGB" else "RGB", mean=mirrored[0], std=mirrored[1])
        for mean, std in (*NORMALISATIONS, (IMAGENET[0][::-1], IMAGENET[1][::-1]), mirrored):
            yield replace(recipe, divisor=255.0, mean=mean, std=std)
        yield replace(recipe, divisor=1.0, mean=_NOTHING[0], std=_NOTHING[1])


def _resizes(recipe: Recipe) -> Iterator[Recipe]:
    for kernel in (*KERNELS, _BOX):
        yield replace(recipe, interpolation=kernel)
    for kernel, antialias in product(KERNELS, (True, False)):
        yield replace(recipe, interpolation=kernel, antialias=antialias)
    for mode, share in product(("squash", "crop"), CROP_SHARES):
        yield replace(recipe, resize_mode=mode, crop_share=share)
    for bars in (recipe.bars, *BARS):
        yield replace(recipe, resize_mode="letterbox", bars=bars, crop_share=1.0)
