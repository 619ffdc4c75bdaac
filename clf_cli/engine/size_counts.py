"""Which widths and heights the images have: all of them while they are few, else put together in even steps."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Any

EXACT = 400  # different sizes; more are put together
STEPS = (8, 4, 2, 1)  # to a factor of two, the finest that leaves EXACT sizes or fewer


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
    near = counts
    for steps in STEPS:
        if len({size[:2] for size in near}) <= EXACT:
            break
        near = Counter()
        for (width, height, split), count in counts.items():
            near[_rounded(width, steps), _rounded(height, steps), split] += count
    return tuple(
        SizeCount(width, height, tuple(near[width, height, split] for split in range(splits)))
        for width, height in sorted({size[:2] for size in near})
    )


@cache
def _rounded(side: int, steps: int) -> int:
    return round(2 ** (round(log2(max(side, 1)) * steps) / steps))
