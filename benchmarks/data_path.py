"""Images per CPU-second of the training data path: decode, augment, and a whole loader.

    python benchmarks/data_path.py --data DIR [--images 300] [--rounds 3] [--out benchmarks/results/data_path.jsonl]

One process, CPU time (user and system), the best of the rounds. Every case is one JSON line; a case that the file
already holds is skipped. "decode" opens the files; a preset augments images that are already decoded; "loader" is a
whole epoch of batches with the ocr preset, "first" from files and "later" from memory.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import PIL
from PIL import Image

from clf_cli.data.augment import augment_image
from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.images import open_image
from clf_cli.data.knobs import PRESETS, resolve_augment
from clf_cli.data.loaders import Loading, train_loader
from clf_cli.data.samplers import image_generator
from clf_cli.settings.sections import AugmentSection, DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess, resize

SIZES = (96, 224)
NAMES = Labels(("apple", "pear"))  # no numbers, which would soften the presets
Measure = Callable[[], float]  # CPU seconds per image


def main() -> None:
    """Measures the cases that the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/data_path.jsonl"))
    options = parser.parse_args()
    dataset = load_dataset(DataSection(root=options.data), seed=0)
    known = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    versions = {"pillow": PIL.__version__, "python": platform.python_version()}
    for name, size, measure in cases(dataset, options.images, options.rounds):
        case = {"data": options.data.name, "case": name, "size": size, **versions}
        if any(case.items() <= row.items() for row in known):
            continue
        seconds = measure()
        row = case | {"images_per_cpu_second": round(1 / seconds, 1), "ms_per_image": round(1000 * seconds, 4)}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def cases(dataset: Dataset, count: int, rounds: int) -> Iterator[tuple[str, int | None, Measure]]:
    """Name, input size and how to measure it."""
    paths = [dataset.root / sample.path for sample in dataset.split("train")[:count]]
    images = [open_image(path) for path in paths]
    yield "decode", None, partial(best, rounds, len(paths), lambda: [open_image(path) for path in paths])
    for size in SIZES:
        preprocess = Preprocess(size, size)
        yield "resize", size, partial(best, rounds, len(paths), partial(resize_all, images, preprocess))
        for preset in PRESETS:
            yield preset, size, partial(best, rounds, len(paths), partial(augment_all, images, preprocess, preset))
        loader = train_loader(dataset, preprocess, resolve_augment(AugmentSection(preset="ocr"), NAMES), Loading(32), 0)
        yield "loader first", size, partial(best, 1, len(loader.draws), partial(list, loader))
        yield "loader later", size, partial(best, 2, len(loader.draws), partial(list, loader))


def best(rounds: int, count: int, work: Callable[[], Any]) -> float:
    """CPU seconds per image of the fastest round."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds) / count


def resize_all(images: list[Image.Image], preprocess: Preprocess) -> None:
    """What evaluation does with each image."""
    for image in images:
        resize(image, preprocess)


def augment_all(images: list[Image.Image], preprocess: Preprocess, preset: str) -> None:
    """What training does with each image, its random numbers included."""
    augment = resolve_augment(AugmentSection.model_validate({"preset": preset}), NAMES)
    for index, image in enumerate(images):
        augment_image(image, preprocess, augment, image_generator(0, 0, index))


if __name__ == "__main__":
    main()
