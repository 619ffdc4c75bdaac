import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.canvas import canvas_of, read_canvas
from clf_cli.data.images import open_image
from clf_cli.data.knobs import PRESETS, Augment
from clf_cli.data.placement import canvas_cuts, canvas_sizes
from clf_cli.data.scan import scan_files
from clf_cli.errors import DataError
from clf_cli.values.preprocess import Preprocess, resize

BASIC = PRESETS["basic"]


def photograph(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 200 / width + 20, y * 200 / height + 20, 120 + 60 * np.sin(x / 9) * np.cos(y / 11)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def saved(root: Path, image: Image.Image, **options) -> str:
    image.save(root / "a.jpg", **options)
    return "a.jpg"


def facts_of(root: Path):
    return scan_files(root.resolve(), ["a.jpg"]).files["a.jpg"]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
def test_a_jpeg_is_the_canvas_that_pillow_would_make(tmp_path, mode, interpolation):
    preprocess = Preprocess(80, 96, resize_mode=mode, interpolation=interpolation)
    path = saved(tmp_path, photograph(150, 130), quality=90)
    canvas = read_canvas(tmp_path, path, facts_of(tmp_path), preprocess, BASIC)
    image = open_image(tmp_path / path)
    assert np.array_equal(canvas, canvas_of(image, preprocess, BASIC))  # both decoders are libjpeg-turbo
    assert canvas.shape[1::-1] == tuple(canvas_sizes([image.size], preprocess, BASIC)[0])
    kernel = Image.Resampling[interpolation.upper()]
    expected = np.asarray(image.resize(canvas.shape[1::-1], kernel), int)
    distance = np.abs(canvas - expected)  # rows and columns are rounded in turn, in another order than Pillow's
    assert distance.max() <= (2 if interpolation == "bicubic" else 1 if interpolation != "nearest" else 0)
    assert (distance > 1).mean() < 0.001


@pytest.mark.parametrize("side", [210, 420, 840])
def test_a_jpeg_that_is_far_larger_is_halved_by_its_decoder(tmp_path, side):
    preprocess = Preprocess(64, 64)
    path = saved(tmp_path, photograph(side, side), quality=95)
    canvas = read_canvas(tmp_path, path, facts_of(tmp_path), preprocess, BASIC)
    expected = canvas_of(open_image(tmp_path / path), preprocess, BASIC)
    assert canvas.shape == expected.shape
    assert np.abs(canvas.astype(int) - expected).mean() < 1


def test_without_crops_and_warps_the_canvas_is_what_evaluation_sees_exactly(tmp_path):
    preprocess = Preprocess(64, 64)
    path = saved(tmp_path, photograph(300, 200), quality=80)
    canvas = read_canvas(tmp_path, path, facts_of(tmp_path), preprocess, Augment("x", flip=True, color=0.5))
    assert np.array_equal(canvas, resize(open_image(tmp_path / path), preprocess))


def test_a_turned_or_grey_jpeg_is_read_as_evaluation_reads_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    preprocess = Preprocess(32, 32)
    for image, options in ((photograph(90, 60), {"exif": exif}), (photograph(90, 60).convert("L"), {})):
        path = saved(tmp_path, image, **options)
        canvas = read_canvas(tmp_path, path, facts_of(tmp_path), preprocess, BASIC)
        assert np.array_equal(canvas, canvas_of(open_image(tmp_path / path), preprocess, BASIC))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_jpeg_that_was_cut_after_the_scan_is_refused_as_pillow_refuses_it(tmp_path, kept):
    path = saved(tmp_path, photograph(200, 150))
    facts = facts_of(tmp_path)
    whole = (tmp_path / path).read_bytes()
    (tmp_path / path).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"Cannot read a\.jpg any more"):
        read_canvas(tmp_path, path, facts, Preprocess(64, 64), BASIC)


def test_a_jpeg_whose_bytes_changed_is_read_by_pillow(tmp_path):
    path = saved(tmp_path, photograph(200, 150))
    facts = facts_of(tmp_path)
    buffer = io.BytesIO()
    photograph(200, 150).transpose(Image.Transpose.ROTATE_180).save(buffer, "JPEG")
    (tmp_path / path).write_bytes(buffer.getvalue())
    expected = canvas_of(open_image(tmp_path / path), Preprocess(64, 64), BASIC)
    assert np.array_equal(read_canvas(tmp_path, path, facts, Preprocess(64, 64), BASIC), expected)


def test_a_file_that_another_shape_took_the_place_of_is_named(tmp_path):
    path = saved(tmp_path, photograph(200, 150))
    facts = facts_of(tmp_path)
    preprocess = Preprocess(64, 64, resize_mode="letterbox")
    (cut,) = canvas_cuts([(facts.width, facts.height)], preprocess, BASIC)
    saved(tmp_path, photograph(300, 90))
    with pytest.raises(DataError, match=r"a\.jpg is another image now: 300 x 90 pixels, 200 x 150"):
        read_canvas(tmp_path, path, facts, preprocess, BASIC, cut)
