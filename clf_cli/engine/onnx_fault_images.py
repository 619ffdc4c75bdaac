"""The images on which a fault is searched: few, those that differ first, each read once for many recipes."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clf_cli.data.images import open_image
from clf_cli.engine.onnx_check import Evidence
from clf_cli.engine.onnx_consumer import Recipe, Tensor, decode, resized, tensor
from clf_cli.engine.onnx_parity import in_order
from clf_cli.engine.point_sampling import Pixels
from clf_cli.values.predictions import softmax
from clf_cli.values.preprocess import InputArray, Preprocess, preprocess_image

IMAGES = 32
_DRAWN = 12
Source = Path | Pixels  # an encoded file, or decoded RGB where only that is stored


@dataclass(frozen=True)
class Prepared:
    """Images at the network's size, by what was done to them."""

    pixels: Mapping[Recipe, Pixels]  # (N, height, width, 3) each

    def inputs(self, recipe: Recipe) -> Tensor:
        """(N, ...) as the network takes them."""
        return np.stack([tensor(one, recipe) for one in self.pixels[_until_resized(recipe)]])


@dataclass(frozen=True)
class Pictures:
    """N images, closed; `workers` threads read them."""

    sources: tuple[Source, ...]
    workers: int = 1

    def __len__(self) -> int:
        return len(self.sources)

    def first(self, count: int) -> "Pictures":
        return replace(self, sources=self.sources[:count])

    def prepared(self, recipes: Iterable[Recipe]) -> Prepared:
        """For all the recipes together. Raises DataError (exit 3) for a file that cannot be read."""
        wanted = list(dict.fromkeys(_until_resized(recipe) for recipe in recipes))
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            each = list(pool.map(lambda source: _read(source, wanted), self.sources))
        return Prepared({recipe: np.stack([one[recipe] for one in each]) for recipe in wanted})

    def training_inputs(self, preprocess: Preprocess) -> InputArray:
        """(N, ...) by clf's own image opener and evaluation transform."""
        opened = (
            open_image(source) if isinstance(source, Path) else Image.fromarray(source) for source in self.sources
        )
        return np.stack([preprocess_image(image, preprocess) for image in opened])


def differing_first(differences: Sequence[float] | npt.NDArray[np.floating], count: int = IMAGES) -> tuple[int, ...]:
    """Positions of up to `count` images: three quarters of them differ most, the others lie evenly among the rest."""
    order = np.argsort(-np.nan_to_num(np.asarray(differences, np.float64), nan=np.inf), kind="stable")
    first, rest = order[: count * 3 // 4], np.sort(order[count * 3 // 4 :])
    if len(rest) > count - len(first):
        rest = rest[np.linspace(0, len(rest) - 1, count - len(first)).round().astype(int)]
    return tuple(int(position) for position in (*first, *rest))


def pictures_of(evidence: Evidence, root: Path | None, workers: int = 1) -> Pictures:
    """Those that were compared, where they lie under `root`; else the golden ones, else drawn ones."""
    expected, answers = evidence.expected, evidence.answers
    if root is not None and expected is not None and answers is not None:
        theirs = in_order(answers.logits, answers.labels, expected.labels)
        flips = expected.logits.argmax(axis=1) != theirs.argmax(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(expected.probabilities - softmax(theirs)).max(axis=1)
        return Pictures(tuple(root / expected.paths[one] for one in differing_first(flips + apart)), workers)
    if evidence.golden is not None:
        return Pictures(tuple(image.pixels for image in evidence.golden.images))
    return Pictures(drawn())


def drawn(count: int = _DRAWN) -> tuple[Pixels, ...]:
    """Where there are no images: seeded blocks of colour with fine noise, in odd sizes, so that every stage shows."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        high, wide = rng.integers(90, 400, 2)
        coarse = rng.integers(0, 256, (rng.integers(3, 9), rng.integers(3, 9), 3), dtype=np.uint8)
        blocks = np.asarray(Image.fromarray(coarse).resize((int(wide), int(high)), Image.Resampling.NEAREST))
        noise = rng.integers(-40, 41, blocks.shape)
        found.append(np.clip(blocks + noise, 0, 255).astype(np.uint8))
    return tuple(found)


def _read(source: Source, wanted: Sequence[Recipe]) -> dict[Recipe, Pixels]:
    decoded: dict[tuple[object, ...], Pixels] = {}
    found = {}
    for recipe in wanted:
        if isinstance(source, Path):
            key = (recipe.exif, recipe.flatten, recipe.background)
            if key not in decoded:
                decoded[key] = decode(source, recipe)
            pixels = decoded[key]
        else:
            pixels = source
        found[recipe] = resized(pixels, recipe)
    return found


def _until_resized(recipe: Recipe) -> Recipe:
    """The part of a recipe that decides the pixels at the network's size; what comes after is left at its default."""
    plain = Recipe(recipe.height, recipe.width)
    return replace(
        recipe,
        color=plain.color,
        divisor=plain.divisor,
        mean=plain.mean,
        std=plain.std,
        layout=plain.layout,
        dtype=plain.dtype,
    )
