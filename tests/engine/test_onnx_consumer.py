"""The consumer's path gives the very bytes that clf gives, and shares none of its code."""

import ast
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.images import open_image
from clf_cli.data.samples import Sample
from clf_cli.engine import onnx_consumer, point_sampling
from clf_cli.engine.onnx_consumer import Recipe, consumer_answers, decode, open_consumer, recipe_of, resized, tensor
from clf_cli.errors import DataError, ModelError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.values.preprocess import Preprocess, preprocess_image
from tests.onnx_models import CONTRACT, LABELS, linear, write_onnx_file


def contract_json(preprocess):
    return replace(CONTRACT, preprocess=preprocess).to_json()


def draw(folder):
    """Every mode that a file may have, each way up, in sizes above and below the network's, one pixel wide, cut off."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (31, 57, 3), dtype=np.uint8))
    see_through = Image.fromarray(rng.integers(0, 256, (40, 23, 4), dtype=np.uint8))
    grey = Image.fromarray(rng.integers(0, 65536, (20, 33), dtype=np.uint16))
    palette = rgb.quantize(20)
    palette.save(folder / "see-through-palette.png", transparency=3)
    palette.save(folder / "palette.png")
    palette.save(folder / "palette.gif")
    rgb.save(folder / "see-through-rgb.png", transparency=rgb.getpixel((3, 3)))
    see_through.save(folder / "alpha.png")
    see_through.save(folder / "alpha.webp", lossless=True)
    see_through.convert("LA").save(folder / "grey-alpha.png")
    for mode in ("1", "L", "RGB"):
        rgb.convert(mode).save(folder / f"mode-{mode}.png")
    for mode in ("CMYK", "YCbCr"):
        rgb.convert(mode).save(folder / f"{mode}.tif")
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    grey.save(folder / "grey16.png")
    grey.save(folder / "grey16.tif")
    for size in ((8, 12), (12, 8), (1, 90), (90, 1), (3, 2)):
        rgb.resize(size).save(folder / f"{size[0]}x{size[1]}.png")
    for orientation in range(1, 10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix in ("jpg", "png", "tif"):
            rgb.save(folder / f"turned-{orientation}.{suffix}", exif=exif)
    exif[0x0112] = 6
    grey.save(folder / "turned-grey16.png", exif=exif)
    see_through.save(folder / "turned-alpha.png", exif=exif)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="module")
def opened(odd):
    return [open_image(path) for path in odd]


PREPROCESSES = [
    Preprocess(8, 12, mode, kernel, share, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3), background=(9, 99, 199))
    for mode, kernel in product(("squash", "crop", "letterbox"), ("nearest", "bilinear", "bicubic", "lanczos"))
    for share in ((1.0,) if mode == "letterbox" else (1.0, 0.875))
]


def test_decoding_gives_the_same_bytes(odd, opened):
    recipe = recipe_of(contract_json(Preprocess(8, 12)))
    for path, image in zip(odd, opened, strict=True):
        assert np.array_equal(decode(path, recipe), np.asarray(image)), path.name


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda value: f"{value.resize_mode}-{value.interpolation}")
def test_the_network_gets_the_same_bytes(odd, opened, preprocess, in_graph):
    ours = replace(preprocess, normalized_in_graph=in_graph)
    recipe = recipe_of(contract_json(ours))
    for path, image in zip(odd, opened, strict=True):
        expected = preprocess_image(image, ours)
        found = tensor(resized(np.asarray(image), recipe), recipe)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected), path.name


def test_it_shares_no_code_with_what_it_is_held_against():
    """Of clf it knows what answers are called, what failed, and how threads read; no image, no contract."""
    allowed = {"clf_cli.errors", "clf_cli.data.samples", "clf_cli.engine.point_sampling", "clf_cli.engine.read_ahead",
               "clf_cli.values.labels", "clf_cli.values.predictions", "clf_cli.values.progress"}  # fmt: skip
    outside = {"collections.abc", "contextlib", "dataclasses", "json", "pathlib", "typing", "numpy", "numpy.typing",
               "onnxruntime", "PIL"}  # fmt: skip
    for module in (onnx_consumer, point_sampling):
        nodes = list(ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))))
        found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert found <= allowed | outside


def test_answers_are_those_of_clf(odd, opened, tmp_path):
    preprocess = replace(PREPROCESSES[4], background=(128, 128, 128))
    path = write_onnx_file(tmp_path / "model.onnx", contract=replace(CONTRACT, preprocess=preprocess))
    consumer, ours = open_consumer(path, 1), onnx_classifier(path, 1)
    samples = [Sample(name.name, LABELS.names[number % len(LABELS)]) for number, name in enumerate(odd)]
    answers = consumer_answers(consumer, odd[0].parent, samples, batch_size=7, workers=2)
    expected = np.concatenate([ours.logits(preprocess_image(image, ours.preprocess)[None]) for image in opened])
    assert answers.paths == tuple(name.name for name in odd)
    assert answers.targets.tolist() == [number % len(LABELS) for number in range(len(odd))]
    assert answers.logits == pytest.approx(expected, abs=1e-5)


class TestStages:
    """A stage that differs gives what a consumer gets who does it so."""

    def test_exif(self, odd):
        stored = Image.open(next(path for path in odd if path.name == "turned-6.jpg"))
        pixels = decode(Path(stored.filename), Recipe(8, 12, exif=False))
        assert np.array_equal(pixels, np.asarray(stored))
        assert pixels.shape != decode(Path(stored.filename), Recipe(8, 12)).shape

    def test_transparency(self, odd):
        path = next(path for path in odd if path.name == "alpha.png")
        alone = np.asarray(Image.open(path))
        assert np.array_equal(decode(path, Recipe(8, 12, flatten=False)), alone[:, :, :3])
        hidden = alone[:, :, 3] == 0
        assert hidden.any()
        for background in ((0, 0, 0), (255, 255, 255)):
            assert (decode(path, Recipe(8, 12, background=background))[hidden] == background).all()

    def test_channels_and_their_statistics(self):
        pixels = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
        recipe = Recipe(8, 12, color="BGR", divisor=1.0, mean=(1.0, 2.0, 3.0), std=(2.0, 2.0, 4.0))
        for channel, (mean, std) in enumerate(((1, 2), (2, 2), (3, 4))):
            assert np.allclose(tensor(pixels, recipe)[channel], (pixels[..., 2 - channel] - float(mean)) / std)

    @pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
    def test_without_antialias(self, kernel):
        """Of fine stripes, which antialias greys, some single pixels are left."""
        stripes = np.zeros((90, 90, 3), np.uint8)
        stripes[:, ::2] = 255
        smooth = resized(stripes, Recipe(9, 13, interpolation=kernel)).astype(int)
        rough = resized(stripes, Recipe(9, 13, interpolation=kernel, antialias=False)).astype(int)
        assert smooth.shape == rough.shape == (9, 13, 3)
        assert np.ptp(rough) > 100
        if kernel != "nearest":
            assert np.ptp(smooth) < 60


def test_a_file_that_no_consumer_can_use(tmp_path):
    for path in (tmp_path / "none.onnx", write_onnx_file(tmp_path / "foreign.onnx", contract=None)):
        with pytest.raises(ModelError, match=path.name):
            open_consumer(path)
    lent = open_consumer(tmp_path / "foreign.onnx", 1, CONTRACT.to_json())
    assert lent.labels == LABELS


def test_an_image_that_cannot_be_read(tmp_path):
    consumer = open_consumer(write_onnx_file(tmp_path / "model.onnx"), 1)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"text\.png"):
        consumer_answers(consumer, tmp_path, [Sample("text.png", "0")])


def test_a_batch_that_the_file_refuses(tmp_path):
    consumer = open_consumer(write_onnx_file(tmp_path / "model.onnx", linear(), batch=2), 1)
    with pytest.raises(ModelError, match="a batch of 3"):
        consumer.logits(np.zeros((3, 3, 8, 12), np.float32))
