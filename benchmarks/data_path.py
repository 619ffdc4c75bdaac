"""Images per CPU-second of the training data path against Pillow and torchvision v2, as a ratio.

    OMP_NUM_THREADS=1 uv run python benchmarks/data_path.py [--images 96] [--rounds 5] [--out FILE]

One process and one thread; both sides of a case take turns, round by round, and the CPU seconds (user and system) of
each are their median. The JPEG files, 400 px and about 49 KiB, are drawn here. The other side is what its users write:
every image is opened, transformed and normalised in every epoch. Ours hands out uint8 batches, with crop, flip and
colours done; "normalised" makes float32 of them too. "ocr" compares the operations alone, both sides
beginning with decoded images. Each case is a JSON line; what the file already holds is skipped.
"""

import argparse
import io
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms import v2

from clf_cli.data.dataset import Dataset, load_dataset
from clf_cli.data.knobs import resolve_augment
from clf_cli.data.loaders import Loading, ResumableLoader, train_loader
from clf_cli.models.malloc import keep_freed_memory
from clf_cli.settings.sections import AugmentSection, DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess

BATCH = 32
SIDE = 400  # of the files, in pixels
NAMES = Labels(("apple", "pear"))  # no numbers, which would soften the presets
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Work = Callable[[], object]


def main() -> None:
    """Measures the cases that the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/data_path.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as clf train does on a CPU; both sides have it
    known = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        kibibytes = draw_files(Path(folder), options.images)
        dataset = load_dataset(DataSection(root=Path(folder), scan_cache=False), seed=0)
        for size in (224, 96):
            for name, sides in cases(dataset, size).items():
                case = {"case": name, "size": size, "images": options.images, "versions": versions()}
                if any(case.items() <= row.items() for row in known):
                    continue
                row = case | compared(*sides, options.rounds) | {"file_kib": round(kibibytes, 1)}
                options.out.parent.mkdir(parents=True, exist_ok=True)
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


def cases(dataset: Dataset, size: int) -> dict[str, tuple[Work, Work]]:
    """What users write and what clf does; each runs over all images once."""
    paths = [dataset.root / sample.path for sample in dataset.split("train")]
    users = partial(transformed, paths, users_basic(size))
    decoded = [Image.open(path).convert("RGB") for path in paths]
    cached = loader_of(dataset, size, "basic")
    ocr = loader_of(dataset, size, "ocr")
    return {
        "basic, cached, uint8": (users, partial(drained, cached)),
        "basic, cached, normalised": (users, partial(normalised, cached)),
        "basic, first epoch": (users, lambda: drained(loader_of(dataset, size, "basic"))),
        "basic, no cache": (users, partial(drained, loader_of(dataset, size, "basic", "none"))),
        "ocr, decoded, normalised": (partial(transformed, decoded, users_ocr(size)), partial(normalised, ocr)),
    }


def compared(users: Work, ours: Work, rounds: int) -> dict[str, Any]:
    """Medians of both, in CPU seconds of one round, as ratio and microseconds of an image."""
    spent: tuple[list[float], list[float]] = ([], [])
    counts = [users(), ours()]  # warm: caches filled, lazy imports done
    for _ in range(rounds):
        for work, seconds in zip((users, ours), spent, strict=True):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
    theirs, own = (statistics.median(seconds) / int(str(counts[0])) for seconds in spent)
    return {
        "users_us": round(theirs * 1e6, 1),
        "clf_us": round(own * 1e6, 1),
        "ratio": round(theirs / own, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def drained(loader: ResumableLoader) -> int:
    """How many images one epoch has."""
    return sum(len(targets) for _, targets, _ in loader)


def normalised(loader: ResumableLoader) -> int:
    """With one scale and one offset of each channel."""
    scale = 1 / (torch.tensor(STD).view(1, 3, 1, 1) * 255)
    bias = -torch.tensor(MEAN).view(1, 3, 1, 1) * 255 * scale
    count = 0
    for pixels, targets, _ in loader:
        torch.addcmul(bias, pixels.float(), scale)
        count += len(targets)
    return count


def transformed(sources: list[Any], transform: Callable[[Image.Image], Tensor]) -> int:
    """Batches of what `transform` makes of files or decoded images."""
    for start in range(0, len(sources), BATCH):
        images = [Image.open(one).convert("RGB") if isinstance(one, Path) else one for one in sources[start:][:BATCH]]
        torch.stack([transform(image) for image in images])
    return len(sources)


def users_basic(size: int) -> Callable[[Image.Image], Tensor]:
    """The preset basic: crops, flips, colour jitter without hue, normalised tensors."""
    return v2.Compose([
        v2.RandomResizedCrop(size, scale=(0.65, 1.0)),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(0.2, 0.2, 0.2),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ])  # fmt: skip


def users_ocr(size: int) -> Callable[[Image.Image], Tensor]:
    """The preset ocr; on Pillow images where torchvision does that faster than on tensors."""
    bilinear = v2.InterpolationMode.BILINEAR
    return v2.Compose([
        v2.RandomApply([v2.Lambda(partial(worse, size))], 0.2),
        v2.Resize((size, size), interpolation=v2.InterpolationMode.BICUBIC),
        v2.RandomAffine(10, (0.08, 0.08), (0.85, 1.15), 8, interpolation=bilinear),
        v2.RandomPerspective(0.25, 0.5, interpolation=bilinear),
        v2.ColorJitter(0.4, 0.4, 0.4),
        v2.RandomApply([v2.Lambda(partial(blurred, size))], 0.2),
        v2.RandomApply([v2.Lambda(saved)], 0.2),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.RandomApply([v2.GaussianNoise(sigma=9 / 255)], 0.15),
        v2.RandomErasing(0.1, (0.02, 0.08)),
        v2.Normalize(MEAN, STD),
    ])  # fmt: skip


def worse(size: int, image: Image.Image) -> Image.Image:
    side = round(size * float(torch.empty(1).uniform_(0.5, 0.9)))
    return image.resize((side, side), Image.Resampling.BILINEAR)


def blurred(size: int, image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.02 * size * float(torch.rand(1))))


def saved(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(torch.randint(25, 75, (1,))))
    return Image.open(buffer).convert("RGB")


def loader_of(dataset: Dataset, size: int, preset: str, cache: Any = "ram") -> ResumableLoader:
    """clf's own, as `clf train` builds it without workers."""
    augment = resolve_augment(AugmentSection.model_validate({"preset": preset}), NAMES)
    return train_loader(dataset, Preprocess(size, size), augment, Loading(BATCH, cache=cache), seed=0)


def draw_files(folder: Path, count: int) -> float:
    """Soft noise over slopes, as JPEG files of two classes; the mean KiB of a file."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:1:SIDE * 1j, 0:1:SIDE * 1j]  # fmt: skip
    total = 0
    for number in range(count):
        fine = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE, 3)), (0, 0), 1.2) * 62
        slopes = np.stack([x, y, (x + y) / 2], axis=-1) * rng.uniform(60, 160) + rng.uniform(20, 80)
        file = folder / "train" / NAMES.names[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(slopes + fine, 0, 255).astype(np.uint8)).save(file, quality=90)
        total += file.stat().st_size
    return total / count / 1024


def versions() -> dict[str, str]:
    """Of what both sides are made of."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "pillow": PIL.__version__,
        "opencv": cv2.__version__,
    }


if __name__ == "__main__":
    main()
