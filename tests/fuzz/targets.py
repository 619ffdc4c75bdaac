"""Every parser of ours as a function of bytes: it ends in a right value or an expected failure, or it is a bug.

`read(content, folder)` raises what no caller may see. `tests/fuzz/test_parsers.py` and `run_atheris.py` call it.
"""

import io
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from clf_cli.errors import ClfError
from clf_cli.reading import require_inside
from clf_cli.values.labels import Labels
from clf_cli.values.run_dir import RunDir

SEEDS = Path(__file__).parent / "seeds"
RUN = SEEDS / "run"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
LABELS = Labels(("blue", "green", "red"))
Read = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Target:
    """`seeds` are names below tests/fuzz/seeds/ of inputs that are read without complaint."""

    read: Read
    seeds: tuple[str, ...]


TARGETS: dict[str, Target] = {}


def target(*seeds: str) -> Callable[[Read], Read]:
    def declare(read: Read) -> Read:
        TARGETS[read.__name__] = Target(read, seeds)
        return read

    return declare


def check(name: str, content: bytes, folder: Path) -> bool:
    """Whether the input was read; a refusal is False. Raises what is neither."""
    try:
        with warnings.catch_warnings(action="error"):
            TARGETS[name].read(content, folder)
    except ClfError as error:
        return _refused(error.message)
    return True


def _refused(reason: str) -> bool:
    assert reason.strip()
    return False


def put(folder: Path, name: str, content: bytes) -> Path:
    """Written in place: a new file for each of a million inputs would be most of the time."""
    path = folder / name
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


# Data


def _rows(path: Path, root: Path) -> None:
    from clf_cli.data.manifests import Manifest, read_manifest

    samples, findings = read_manifest(Manifest(root.resolve(), path.resolve(), None))
    require_inside(sample.path for sample in samples)
    for sample in samples:
        sample.label.encode()
        assert len(sample.label) <= 1000
    for finding in findings:
        assert str(finding).isprintable()


@target("manifest.jsonl")
def manifest_jsonl(content: bytes, folder: Path) -> None:
    _rows(put(folder, "m.jsonl", content), folder)


@target("manifest.csv")
def manifest_csv(content: bytes, folder: Path) -> None:
    _rows(put(folder, "m.csv", content), folder)


@target("header.jsonl", "manifest.jsonl")
def manifest_header(content: bytes, folder: Path) -> None:
    from clf_cli.data.layout import read_layout

    listing = read_layout(put(folder, "h.jsonl", content))
    require_inside(sample.path for sample in listing.samples)


@target("manifest.jsonl")
def manifest_metadata(content: bytes, folder: Path) -> None:
    from clf_cli.data.manifests import Manifest, read_manifest
    from clf_cli.data.metadata import keys_of, values_of
    from clf_cli.engine.metadata_counts import metadata_counts

    path = put(folder, "d.jsonl", content)
    samples, _ = read_manifest(Manifest(folder.resolve(), path.resolve(), "train"))
    for key in keys_of(samples)[:5]:
        values_of(samples, key)
    metadata_counts(samples)


@target("run/splits.csv")
def splits_csv(content: bytes, folder: Path) -> None:
    from clf_cli.data.run_splits import read_splits

    samples, _ = read_splits(put(folder, "splits.csv", content))
    require_inside(sample.path for sample in samples)


@target("scan.json")
def scan_cache(content: bytes, folder: Path) -> None:
    """Of a file whose size and time are those of the seed."""
    from clf_cli.data.scan import scan_files

    image = folder / "data" / "a.png"
    if not image.exists():
        put(folder, "data/a.png", (SEEDS / "tiny.png").read_bytes())
        os.utime(image, ns=(0, 1))
    root = image.parent.resolve()
    cache = put(folder, "scan.json", content.replace(b"ROOT", str(root).encode()))
    assert set(scan_files(root, ["a.png"], cache=cache, remember=False).files) == {"a.png"}


@target("tiny.png", "tiny.jpg", "tiny.gif", "tiny.tif", "tiny.bmp", "tiny.webp", "tiny.ppm", "tiny.qoi", "tiny.jp2")
def image(content: bytes, folder: Path) -> None:
    from clf_cli.data.images import MAX_PIXELS, UnreadableImageError, open_image

    try:
        opened = open_image(io.BytesIO(content))
    except UnreadableImageError as error:
        _refused(str(error))
        return
    assert opened.mode == "RGB"
    assert opened.width * opened.height <= MAX_PIXELS


# Settings


@target("run/settings.toml")
def settings_toml(content: bytes, folder: Path) -> None:
    from clf_cli.settings.load import read_settings
    from clf_cli.settings.resolved import to_toml

    settings = read_settings(put(folder, "settings.toml", content))
    again = read_settings(put(folder, "again.toml", to_toml(settings, {}).encode()))
    assert again == settings


@target("pyproject.toml")
def pyproject(content: bytes, folder: Path) -> None:
    from clf_cli.settings.load import resolve

    resolve("train", {}, put(folder, "pyproject.toml", content))


@target("run/settings.toml")
def stored_settings(content: bytes, folder: Path) -> None:
    from clf_cli.settings.sources import stored_settings

    stored_settings(put(folder, "settings.toml", content))


# A run from a stranger


RUN_FILES = (
    *("run.json", "settings.toml", "splits.csv", "metrics.csv", "timing.csv", "labels_mapping.json", "log.txt"),
    *(f"reports/{name}.json" for name in ("metrics", "metrics-test", "confusion", "dataset", "model_info", "train")),
    *("reports/calibration.json", "export/labels_mapping.json", "export/validation.json"),
)


@cache
def _run(folder: Path) -> RunDir:
    shutil.copytree(RUN, folder / "run", dirs_exist_ok=True)
    return RunDir(folder / "run")


def _with(name: str, content: bytes, folder: Path) -> RunDir:
    run = _run(folder)
    for other in RUN_FILES:
        if other != name and (run.root / other).stat().st_size != (RUN / other).stat().st_size:
            shutil.copyfile(RUN / other, run.root / other)
    put(run.root, name, content)
    return run


def _run_target(name: str) -> None:
    def read(content: bytes, folder: Path) -> None:
        """What `clf report`, `clf runs` and `clf history` make of the run."""
        from clf_cli.engine.report_page import Mistakes, report_page
        from clf_cli.engine.runs import RunsResult, read_runs
        from clf_cli.render import runs
        from clf_cli.render.report_page import html

        run = _with(name, content, folder)
        try:
            rows = read_runs(run.root.parent, NOW)
            runs.table(RunsResult(".", len(rows), "name", rows))
            page = html(report_page(run, Mistakes()))
            assert "<script>alert" not in page
        finally:
            shutil.copyfile(RUN / name, run.root / name)

    TARGETS[f"run:{name}"] = Target(read, (f"run/{name}",))


for _name in RUN_FILES:
    _run_target(_name)


@target("run/epochs/001/confusion.json")
def stored_confusion(content: bytes, folder: Path) -> None:
    from clf_cli.engine.confusion import ConfusionResult, stored_confusion, stored_examples

    put(folder, "epochs/001/confusion.json", content)
    report = stored_confusion(RunDir(folder), 1)
    assert isinstance(report.result, ConfusionResult)
    require_inside(path for pair in report.result.most_confused() for path in pair.examples)
    stored_examples(report)
    report.to_json()


@target("run/reports/calibration.json")
def stored_calibration(content: bytes, folder: Path) -> None:
    from clf_cli.engine.stored_calibration import calibrated
    from clf_cli.models.classifier import Classifier
    from clf_cli.values.preprocess import Preprocess

    run = RunDir(folder / "calibrated")
    put(run.root, "run.json", b"{}")
    put(run.root, "reports/calibration.json", content)
    best = run.best if run.best.exists() else put(run.root, "checkpoints/best.ckpt", b"weights")
    classifier = Classifier(
        *(
            lambda images: images,
            LABELS,
            Preprocess(32, 32),
            "test_resnet",
            "ema",
            None,
            "d75feff6a329",
            None,
            best,
            run,
        )
    )
    calibrated(classifier)


@target("baseline.json")
def baseline(content: bytes, folder: Path) -> None:
    from clf_cli.engine.dataset_baseline import read_baseline

    read_baseline(put(folder, "clf-baseline.json", content))


@target("answers.jsonl")
def answers(content: bytes, folder: Path) -> None:
    from clf_cli.data.samples import Sample
    from clf_cli.engine.onnx_answers import read_answers

    samples = [Sample("a.png", "blue"), Sample("b/c.png", "red")]
    found = read_answers(put(folder, "answers.jsonl", content), LABELS, folder, samples)
    assert set(found.paths) <= {"a.png", "b/c.png"}


@target("run/export/golden/index.json")
def golden_index(content: bytes, folder: Path) -> None:
    _golden("index.json", content, folder)


@target("run/export/golden/0.logits.npy")
def golden_array(content: bytes, folder: Path) -> None:
    _golden("0.logits.npy", content, folder)


def _golden(name: str, content: bytes, folder: Path) -> None:
    from clf_cli.engine.onnx_golden import read_golden

    golden = folder / "golden"
    if not golden.is_dir():
        shutil.copytree(RUN / "export" / "golden", golden)
    put(golden, name, content)
    try:
        read_golden(golden)
    finally:
        shutil.copyfile(RUN / "export" / "golden" / name, golden / name)


# Models


@target("names.txt")
def names_txt(content: bytes, folder: Path) -> None:
    from clf_cli.models.onnx_given import read_names

    Labels(tuple(read_names(put(folder, "names.txt", content))))


@target("names.json", "run/labels_mapping.json")
def names_json(content: bytes, folder: Path) -> None:
    from clf_cli.models.onnx_given import read_names

    Labels(tuple(read_names(put(folder, "names.json", content))))


@target("names.py.txt", "names.json")
def names_metadata(content: bytes, folder: Path) -> None:
    from clf_cli.models.onnx_given import _names_of_metadata

    names = _names_of_metadata(content.decode("utf-8", "replace"))
    assert names is None or all(isinstance(name, str) for name in names)


@target("stages.toml")
def stages_toml(content: bytes, folder: Path) -> None:
    from clf_cli.models.onnx_given import read_preprocess

    read_preprocess(put(folder, "stages.toml", content))


@target("run/labels_mapping.json", "stages.json")
def stages_json(content: bytes, folder: Path) -> None:
    from clf_cli.models.onnx_given import read_preprocess

    read_preprocess(put(folder, "stages.json", content))


@target("contract.json")
def contract(content: bytes, folder: Path) -> None:
    from clf_cli.reading import parse_json
    from clf_cli.values.contract import Contract

    try:
        found = Contract.from_json(parse_json(content))
    except (KeyError, ValueError):
        return
    assert Contract.from_json(found.to_json()) == found
    found.metadata()


@target("tiny.onnx")
def onnx_walk(content: bytes, folder: Path) -> None:
    from clf_cli.models.onnx_limits import _reason
    from clf_cli.models.onnx_outside import check_outside

    path = put(folder, "a.onnx", content)
    check_outside(path)
    try:
        _reason(path)
    except ValueError as error:  # which its caller makes one error of
        _refused(str(error))


@target("tiny.ckpt", "legacy.ckpt")
def checkpoint(content: bytes, folder: Path) -> None:
    from clf_cli.models.checkpoint import read_checkpoint

    read_checkpoint(put(folder, "a.ckpt", content))


@target("exchange.safetensors")
def exchange(content: bytes, folder: Path) -> None:
    from clf_cli.models.checkpoint import read_checkpoint

    read_checkpoint(put(folder, "a.safetensors", content))


@target("tiny.safetensors", "tiny.pt", "zip.pt", "legacy.ckpt")
def weights(content: bytes, folder: Path) -> None:
    from clf_cli.models.weights import read_weights

    read_weights(put(folder, "a.pth", content))


# Text that others chose, where it is shown


@target("names.txt")
def shown_text(content: bytes, folder: Path) -> None:
    from clf_cli.cli.console import visible
    from clf_cli.data.samples import printable
    from clf_cli.render.csv import harmless
    from clf_cli.render.junit import Case, junit_xml
    from clf_cli.render.text import label

    text = content.decode("utf-8", "surrogateescape")
    assert printable(text).isprintable()
    assert all(char.isprintable() or char in "\n\t" for char in visible(text))
    assert "\x1b" not in label(text)
    assert harmless(text).lstrip()[:1] not in ("=", "@")
    assert harmless(text).isprintable()
    xml = junit_xml(text, text, [Case(text, (text,), (text,)), Case(text, skipped=text)])
    ElementTree.fromstring(xml.encode("utf-8", "backslashreplace"))
