"""The consumer examples answer like clf: same files, every way to resize, odd image modes."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.images import open_image
from clf_cli.data.named_images import NamedImage
from clf_cli.engine.onnx_golden import GoldenImage, golden_of, write_golden
from clf_cli.engine.predictions import predict_images
from clf_cli.models.onnx import onnx_classifier
from clf_cli.values.predictions import softmax
from clf_cli.values.preprocess import Preprocess, preprocess_image
from tests.onnx_models import CONTRACT, linear, write_onnx_file

MINIMAL = Path(__file__).parents[1] / "examples" / "consumers" / "python_minimal.py"


def said(model, paths):
    done = subprocess.run(
        [sys.executable, str(MINIMAL), str(model), *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def draw_images(folder):
    """Every mode that open_image treats in a way of its own, in odd sizes."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (31, 57, 3), dtype=np.uint8))
    alpha = Image.fromarray(rng.integers(0, 256, (40, 23, 4), dtype=np.uint8))
    turned = rgb.copy()
    turned.getexif()[0x0112] = 6
    grey = Image.fromarray(rng.integers(0, 65536, (20, 33), dtype=np.uint16))
    for image, name in (
        (rgb, "rgb.png"), (alpha, "alpha.png"), (rgb.convert("P"), "palette.png"), (rgb.convert("L"), "grey.png"),
        (grey, "grey16.png"), (rgb.convert("CMYK"), "cmyk.jpg"), (rgb.resize((8, 12)), "size.png"),
        (rgb.resize((1, 90)), "thin.png"),
    ):  # fmt: skip
        image.save(folder / name)
    turned.save(folder / "turned.jpg", exif=turned.getexif())
    return sorted(folder.iterdir())


PREPROCESSES = [
    Preprocess(8, 12),
    Preprocess(8, 12, crop_share=0.8, interpolation="bilinear"),
    Preprocess(8, 12, "crop", "lanczos", 0.875),
    Preprocess(8, 12, "letterbox", "nearest", mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3), background=(9, 99, 199)),
]


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda value: value.resize_mode)
def test_python_minimal(tmp_path, preprocess):
    contract = replace(CONTRACT, preprocess=preprocess)
    model = write_onnx_file(tmp_path / "model.onnx", contract=contract)
    (tmp_path / "images").mkdir()
    paths = draw_images(tmp_path / "images")
    images = np.stack([preprocess_image(open_image(path), preprocess) for path in paths])
    shares = softmax(linear()(images))
    for path, share, answer in zip(paths, shares, said(model, paths), strict=True):
        if path.name == "alpha.png" and preprocess.background != (128, 128, 128):
            continue  # clf composites on its own grey, whatever the bars of a letterbox
        assert answer["label"] == contract.labels.names[share.argmax()], path
        assert answer["probability"] == pytest.approx(share.max(), abs=1e-4), path


def test_golden_samples(tmp_path):
    """From the stored PNGs to the stored logits."""
    rng = np.random.default_rng(1)
    images = tuple(
        GoldenImage(f"{i}.png", None, rng.integers(0, 256, (30, 20 + i, 3), dtype=np.uint8)) for i in range(8)
    )
    golden = golden_of(images, linear().classifier())
    write_golden(tmp_path / "golden", golden)
    index = json.loads((tmp_path / "golden" / "index.json").read_text(encoding="utf-8"))["samples"]
    model = write_onnx_file(tmp_path / "model.onnx")
    answers = said(model, [tmp_path / "golden" / sample["image"] for sample in index])
    for sample, answer in zip(index, answers, strict=True):
        assert answer["label"] == sample["predicted"]
        assert answer["probability"] == pytest.approx(sample["probability"], abs=1e-4)


def test_a_temperature_and_thresholds_are_honoured(tmp_path):
    """As `clf predict` does, and as the golden samples of the file say."""
    colors = np.random.default_rng(1).integers(0, 256, (8, 3), dtype=np.uint8)
    images = tuple(GoldenImage(f"{i}.png", None, np.full((30, 20, 3), color)) for i, color in enumerate(colors))
    golden, temperature = golden_of(images, linear().classifier()), 2.5
    shares = softmax(golden.logits.astype(np.float64) / temperature)
    order = np.argsort(shares.max(axis=1))
    middle = float(shares.max(axis=1)[order[3:5]].mean())
    thresholds = tuple(None if index == shares[order[7]].argmax() else middle for index in range(len(CONTRACT.labels)))
    contract = replace(CONTRACT, temperature=temperature, thresholds=thresholds)
    write_golden(tmp_path / "golden", golden, temperature, thresholds)
    index = json.loads((tmp_path / "golden" / "index.json").read_text(encoding="utf-8"))["samples"]
    model = write_onnx_file(tmp_path / "model.onnx", contract=contract)
    paths = [tmp_path / "golden" / sample["image"] for sample in index]
    ours = predict_images(onnx_classifier(model), [NamedImage(str(path), path) for path in paths])
    for sample, answer, prediction in zip(
        index, said(model, paths), [one for batch in ours for one in batch], strict=True
    ):
        assert answer["probability"] == pytest.approx(sample["probability"], abs=1e-4)
        assert answer["label"] == prediction.label == (sample["predicted"] if sample["answered"] else None)
    assert {sample["answered"] for sample in index} == {True, False}


def test_it_is_short_and_needs_three_packages():
    source = MINIMAL.read_text(encoding="utf-8")
    imported = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported == {"json", "sys", "numpy", "onnxruntime", "PIL"}
    assert len(source.splitlines()) < 60
