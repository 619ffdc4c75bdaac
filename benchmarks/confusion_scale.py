"""What `clf confusion` does after the model has answered, for many classes: seconds of CPU and bytes of each file.

    OMP_NUM_THREADS=1 python benchmarks/confusion_scale.py [--classes 1000] [--images 50000]

Counts, prints the table, writes JSON, CSV and both pictures, from logits drawn at random with a right answer for about
three images in four and ten classes that take most of the errors. One process, one thread; matplotlib's import is told
apart, the images of the pairs are drawn noise. A case that the file already holds is skipped.
"""

import argparse
import contextlib
import io
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from clf_cli.cli.console import publish
from clf_cli.engine.confusion import confusion
from clf_cli.engine.thumbnails import thumbnails
from clf_cli.files import json_text
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import Predictions
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import DataRef, ModelRef, Report

SIZE = Preprocess(224, 224)
MODEL, DATA = ModelRef("best.ckpt", "none", "ema", None), ("data", "val", "none")


def main() -> None:
    """Measures one case, unless the file holds it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/confusion_scale.jsonl"))
    options = parser.parse_args()
    case = {"classes": options.classes, "images": options.images, "python": platform.python_version()}
    known = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    if any(case.items() <= row.items() for row in known):
        return
    row = case | measured(drawn(options.classes, options.images))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row))


def drawn(classes: int, images: int) -> Predictions:
    """Answers of a model that is right on three images in four."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, classes, images)
    popular = rng.integers(0, classes, 10)
    wrong = np.where(rng.random(images) < 0.5, popular[rng.integers(0, 10, images)], rng.integers(0, classes, images))
    answers = np.where(rng.random(images) < 0.75, targets, wrong)
    logits = np.zeros((images, classes), np.float32)
    logits[np.arange(images), answers] = 5
    paths = tuple(f"val/{number:06d}.png" for number in range(images))
    return Predictions(paths, targets, logits, Labels(tuple(f"class {number:04d}" for number in range(classes))))


def measured(predictions: Predictions) -> dict[str, object]:
    """Seconds of CPU per part and in all, bytes per file."""
    seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(part: str) -> Iterator[None]:
        start = time.process_time()
        yield
        seconds[part] = round(time.process_time() - start, 2)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with timed("count"):
            data = DataRef(*DATA, len(predictions), 0)
            report = Report(confusion(predictions), MODEL, data)
        with timed("import"):
            from clf_cli.render.confusion_files import write_confusion, write_pairs
        with timed("table"), contextlib.redirect_stdout(io.StringIO()):
            publish(report, as_json=False)
        with timed("json, csv, picture"):
            write_confusion(report, folder / "confusion", subject="val")
        draw_examples(report, folder)
        with timed("pairs"):
            write_pairs(report, folder / "confusion", lambda paths: thumbnails(folder, paths, SIZE))
        with timed("json on stdout"):
            json_text(report.to_json())
        sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("confusion*"))}
    return {"cpu_seconds": round(sum(seconds.values()), 2), "of_which": seconds, "bytes": sizes}


def draw_examples(report: Report, folder: Path) -> None:
    """The example images, as photographs are: smooth, with some noise."""
    rng = np.random.default_rng(1)
    for pair in report.to_json()["result"]["most_confused"]:
        for path in pair["examples"]:
            (folder / path).parent.mkdir(exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (14, 14, 3), dtype=np.uint8)).resize((500, 400))
            noisy = np.asarray(coarse) + rng.normal(0, 6, (400, 500, 3))
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / path)


if __name__ == "__main__":
    main()
