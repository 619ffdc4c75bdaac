"""Images of a data set on their way into batches: read once, and kept at the size that batches are made from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from clf_cli.data.canvas import read_canvas, read_image
from clf_cli.data.dataset import Dataset
from clf_cli.data.knobs import Augment
from clf_cli.data.placement import canvas_cuts, canvas_scale, canvas_sizes
from clf_cli.data.store import Keeping, PixelStore
from clf_cli.data.warp import Pixels
from clf_cli.values.preprocess import Preprocess, resize

_MAKERS = ("pillow", "torch", "opencv-python-headless")  # another version may decode or resize by a level
_EVALUATION = Augment("none")


class Sources:
    """Some images of a data set, by path; `store` is what is kept of them."""

    def __init__(
        self,
        dataset: Dataset,
        paths: Sequence[str],
        preprocess: Preprocess,
        augment: Augment | None,
        keeping: Keeping,
    ) -> None:
        """Of some of its `paths`, which may repeat. Without `augment` they are what evaluation sees, to the level."""
        self.root = dataset.root
        self.preprocess = preprocess
        self.augment = augment
        self._readers = keeping.readers
        self._numbers = {path: number for number, path in enumerate(dict.fromkeys(paths))}
        self._facts = {path: dataset.files[path] for path in self._numbers}
        sizes = [self.size(path) for path in self._numbers]
        self._cuts = canvas_cuts(sizes, preprocess, augment or _EVALUATION)
        sides = canvas_sizes(sizes, preprocess, augment or _EVALUATION)
        self.store = PixelStore(sides, keeping, self._key() if keeping.where == "disk" else ())

    def size(self, path: str) -> tuple[int, int]:
        """Width and height of the source."""
        return self._facts[path].width, self._facts[path].height

    def canvases(self, paths: Sequence[str]) -> list[Pixels]:
        """`canvas` of each, those that are not kept read by several threads at once."""
        if self._readers == 1:
            return [self.canvas(path) for path in paths]
        held = {path: self.store.get(self._numbers[path]) for path in paths}
        missing = [path for path, pixels in held.items() if pixels is None]
        if len(missing) > 1:
            pool = ThreadPoolExecutor(min(self._readers, len(missing)))
            try:
                held.update(zip(missing, pool.map(self.canvas, missing), strict=True))
            finally:
                pool.shutdown(cancel_futures=True)
        return [self.canvas(path) if (pixels := held[path]) is None else pixels for path in paths]

    def canvas(self, path: str) -> Pixels:
        """(h, w, 3). Raises DataError for a file that cannot be read any more."""
        number = self._numbers[path]
        kept = self.store.get(number)
        if kept is not None:
            return kept
        if self.augment is None:
            pixels = np.asarray(resize(read_image(self.root, path), self.preprocess))
        else:
            facts, cut = self._facts[path], self._cuts[number]
            pixels = read_canvas(self.root, path, facts, self.preprocess, self.augment, cut)
        self.store.put(number, pixels)
        return pixels

    def _key(self) -> list[str]:
        """All that decides about the pixels that are kept."""
        values = asdict(self.preprocess)
        looks = {name: values[name] for name in ("height", "width", "resize_mode", "interpolation", "crop_share")}
        scale = canvas_scale(self.augment) if self.augment is not None and self.augment.moves else None
        made = [str(looks), str(self.preprocess.background), f"scale {scale}"]
        contents = [facts.content_hash for facts in self._facts.values()]
        return [*made, *(f"{name} {version(name)}" for name in _MAKERS), *contents]
