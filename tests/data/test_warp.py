from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.augment import Keys, augment_image
from clf_cli.data.canvas import canvas_of
from clf_cli.data.draws import COLUMNS
from clf_cli.data.knobs import PRESETS, Augment
from clf_cli.data.matrices import Matrices, affine, shift, tilt
from clf_cli.data.placement import _in_pixels, placements
from clf_cli.data.warp import draw_all
from clf_cli.values.preprocess import Preprocess, resize

WARPS = Augment("x", rotate=10.0)


def scene(width: int, height: int) -> Image.Image:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]  # fmt: skip
    pixels = np.stack([40 + 150 * x, 60 + 120 * y, 90 + 80 * x * y], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def difference(a, b) -> float:
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max())


def render(image: Image.Image, preprocess: Preprocess, matrix: Matrices, augment: Augment = WARPS):
    """What evaluation shows of the image, through a matrix in centred coordinates."""
    canvas = canvas_of(image, preprocess, augment)
    middle = placements(np.full((1, COLUMNS), 0.5), [image.size], augment, preprocess)
    out = np.zeros((1, preprocess.height, preprocess.width, 3), np.uint8)
    draw_all([canvas], middle @ _in_pixels(matrix, preprocess), preprocess, out)
    return out[0]


@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(40, 64), (300, 120), (7, 90), (64, 64)])
def test_without_crop_and_warp_the_view_is_what_evaluation_sees(mode, size):
    preprocess = Preprocess(48, 48, resize_mode=mode, crop_share=1.0 if mode == "letterbox" else 0.875)
    image = scene(*size)
    seen = render(image, preprocess, np.eye(3)).astype(np.float64)
    expected = resize(image, preprocess).astype(np.float64)
    assert np.median(np.abs(seen - expected)) <= 2  # evaluation rounds to whole pixels, the view does not
    unequal = np.abs(seen - expected).max(axis=-1) > 12
    assert unequal.mean() <= 0.05  # the bars of a letterbox may lie one pixel aside


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("inside", [True, False])
def test_a_rectangle_of_whole_pixels_is_drawn_as_any_other(flipped, inside):
    """OpenCV's resize and its warp show the same, but for the outermost pixels, which resize does not look beyond."""
    canvas = np.asarray(scene(90, 80))
    left, top = (7.0, 9.0) if inside else (40.0, 30.0)
    whole = np.array([[64 / 72, 0, left], [0, 50 / 72, top], [0, 0, 1]])
    if flipped:
        whole = whole @ np.array([[-1.0, 0, 72], [0, 1, 0], [0, 0, 1]])
    other = whole + np.array([[0, 1e-9, 0], [0, 0, 0], [0, 0, 0]])
    out = np.zeros((2, 72, 72, 3), np.uint8)
    draw_all([canvas, canvas], np.stack([whole, other]), Preprocess(72, 72), out)
    assert np.abs(out[0].astype(int) - out[1])[1:-1, 1:-1].max() <= 2


def dot(x: int, y: int) -> Image.Image:
    pixels = np.zeros((81, 81, 3), np.uint8)
    pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
    return Image.fromarray(pixels)


def found(image: Image.Image) -> tuple[float, float]:
    weights = np.asarray(image)[..., 0].astype(np.float64)
    rows, columns = np.mgrid[0:81, 0:81]
    return float((weights * columns).sum() / weights.sum()), float((weights * rows).sum() / weights.sum())


@pytest.mark.parametrize(
    ("matrix", "where"),
    [
        (affine(rotate=90), (40, 20)),  # counter-clockwise: right goes up
        (shift(0.25, -0.5), (70, 20)),  # right by a quarter, up by half, of half the side
        (affine(zoom=1.5), (70, 40)),
        (affine(shear_y=0.5), (60, 30)),
    ],
)
def test_each_matrix_moves_the_picture_as_it_says(matrix, where):
    preprocess = Preprocess(81, 81)
    image = dot(60, 40)
    moved = render(image, preprocess, matrix)
    assert found(moved) == pytest.approx(where, abs=0.6)


def test_a_tilt_keeps_the_centre_and_enlarges_one_side():
    preprocess = Preprocess(81, 81)
    assert found(render(dot(40, 40), preprocess, tilt(0.3, 0.0))) == pytest.approx((40, 40), abs=0.6)
    left, right = (found(render(dot(x, 40), preprocess, tilt(0.3, 0.0)))[0] for x in (20, 60))
    assert right - 40 > 1.3 * (40 - left)


@pytest.mark.parametrize("mode", ["squash", "crop"])
@pytest.mark.parametrize("matrix", [affine(rotate=35), affine(zoom=0.6), shift(0.5, 0.5), tilt(0.4, 0.4)])
def test_what_lies_beyond_the_edge_continues_the_edge(mode, matrix):
    preprocess = Preprocess(64, 64, resize_mode=mode)
    image = Image.new("RGB", (50, 70), (200, 30, 90))
    warped = render(image, preprocess, matrix)
    assert difference(warped, np.full((64, 64, 3), (200, 30, 90))) <= 1


def test_what_lies_beyond_a_letterbox_is_its_background():
    preprocess = Preprocess(64, 64, resize_mode="letterbox")
    image = Image.new("RGB", (50, 70), (200, 30, 90))
    warped = np.asarray(render(image, preprocess, affine(rotate=35)))
    for corner in (warped[0, 0], warped[0, -1], warped[-1, 0], warped[-1, -1]):
        assert tuple(corner) == preprocess.background


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3)])
@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
def test_extreme_shapes_work(size, mode):
    preprocess = Preprocess(32, 32, resize_mode=mode)
    image = Image.new("RGB", size, (10, 20, 30))
    for preset in ("basic", "strong", "ocr"):
        augment = replace(PRESETS[preset], color=0, noise=0, erase=0, randaugment=0, jpeg=0)
        for picture in augment_image(image, preprocess, augment, Keys(0, 0, range(8))):
            if mode != "letterbox":
                assert difference(picture, np.full((32, 32, 3), (10, 20, 30))) <= 1


def test_shrinking_a_fine_pattern_does_not_alias():
    """Every second column white: seen from afar it is grey, whatever the warp."""
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[:, ::2] = 255
    preprocess = Preprocess(64, 64)
    image = Image.fromarray(pixels)
    warped = np.asarray(render(image, preprocess, affine(rotate=3, zoom=1.05)))
    assert np.abs(warped[4:-4, 4:-4].astype(int) - 127).max() <= 6
