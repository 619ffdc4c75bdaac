"""Which widths and heights the images have: all of them while they are few, else in steps of an eighth of an octave."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

EXACT = 400  # different sizes; more are put together
STEPS = 8  # to a factor of two


@dataclass(frozen=True)
class SizeCount:
    """Images of one size, or near it; `counts` by split."""

    width: int
    height: int
    counts: tuple[int, ...]

    def to_json(self, splits: Sequence[str]) -> dict[str, Any]:
        return {
            "width": self.width,
            "height": self.height,
            "counts": dict(zip(splits, self.counts, strict=True)),
        }


def size_counts(images: Iterable[tuple[int, int, int]], splits: int) -> tuple[SizeCount, ...]:
    """Of (width, height, index of the split) for each image, the smallest width first."""
    counts = Counter(images)
    if len({size[:2] for size in counts}) > EXACT:
        near: Counter[tuple[int, int, int]] = Counter()
        for (width, height, split), count in counts.items():
            near[_step(width), _step(height), split] += count
        counts = near
    return tuple(
        SizeCount(width, height, tuple(counts[width, height, split] for split in range(splits)))
        for width, height in sorted({size[:2] for size in counts})
    )


def _step(side: int) -> int:
    return round(2 ** (round(log2(max(side, 1)) * STEPS) / STEPS))
