import numpy as np
import pytest
from PIL import Image

from clf_cli.data.warp import Crop, View, affine, render, shift, tilt, view_of
from clf_cli.values.preprocess import Preprocess, resize


def scene(width: int, height: int) -> Image.Image:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]  # fmt: skip
    pixels = np.stack([40 + 150 * x, 60 + 120 * y, 90 + 80 * x * y], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def difference(a, b) -> float:
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max())


@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(40, 64), (300, 120), (7, 90), (64, 64)])
def test_without_crop_and_warp_the_view_is_what_evaluation_sees(mode, size):
    preprocess = Preprocess(48, 48, resize_mode=mode, crop_share=1.0 if mode == "letterbox" else 0.875)
    image = scene(*size)
    seen = np.asarray(render(image, preprocess, view_of(image.size, preprocess, None)), np.float64)
    expected = resize(image, preprocess).astype(np.float64)
    assert seen.shape == expected.shape
    assert np.median(np.abs(seen - expected)) <= 2  # evaluation rounds to whole pixels, the view does not
    unequal = np.abs(seen - expected).max(axis=-1) > 12
    assert unequal.mean() <= 0.05  # the bars of a letterbox may lie one pixel aside


@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
def test_the_identity_matrix_changes_nothing_visible(mode):
    preprocess = Preprocess(48, 32, resize_mode=mode)
    image = scene(60, 80)
    view = view_of(image.size, preprocess, None)
    assert difference(render(image, preprocess, view, np.eye(3)), render(image, preprocess, view)) <= 1


def test_a_crop_shows_its_part_at_full_size():
    preprocess = Preprocess(50, 50, interpolation="nearest")
    image = scene(200, 100)
    view = view_of(image.size, preprocess, Crop(0.5, 0.25, 1.0, 0.0))
    assert view == View(100, 0, 100, 25)
    expected = image.crop((100, 0, 200, 25)).resize((50, 50), Image.Resampling.NEAREST)
    assert difference(render(image, preprocess, view), expected) == 0


def test_in_crop_mode_a_crop_may_lie_where_evaluation_cuts_off():
    preprocess = Preprocess(50, 50, resize_mode="crop")
    assert view_of((300, 100), preprocess, None) == View(100, 0, 100, 100)
    assert view_of((300, 100), preprocess, Crop(0.5, 0.5, 0.0, 1.0)) == View(0, 50, 50, 50)


def test_a_letterboxed_crop_keeps_its_shape():
    preprocess = Preprocess(60, 60, resize_mode="letterbox")
    view = view_of((100, 40), preprocess, Crop(1.0, 1.0, 0.5, 0.5))
    assert (view.width, view.height) == (100, 100)
    assert view.top == -30


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
        (affine(shear=(0.0, 0.5)), (60, 30)),
    ],
)
def test_each_matrix_moves_the_picture_as_it_says(matrix, where):
    preprocess = Preprocess(81, 81)
    image = dot(60, 40)
    moved = render(image, preprocess, view_of(image.size, preprocess, None), matrix)
    assert found(moved) == pytest.approx(where, abs=0.6)


def test_a_tilt_keeps_the_centre_and_enlarges_one_side():
    preprocess = Preprocess(81, 81)
    view = view_of((81, 81), preprocess, None)
    assert found(render(dot(40, 40), preprocess, view, tilt(0.3, 0.0))) == pytest.approx((40, 40), abs=0.6)
    left, right = (found(render(dot(x, 40), preprocess, view, tilt(0.3, 0.0)))[0] for x in (20, 60))
    assert right - 40 > 1.3 * (40 - left)


@pytest.mark.parametrize("mode", ["squash", "crop"])
@pytest.mark.parametrize("matrix", [affine(rotate=35), affine(zoom=0.6), shift(0.5, 0.5), tilt(0.4, 0.4)])
def test_what_lies_beyond_the_edge_continues_the_edge(mode, matrix):
    preprocess = Preprocess(64, 64, resize_mode=mode)
    image = Image.new("RGB", (50, 70), (200, 30, 90))
    warped = render(image, preprocess, view_of(image.size, preprocess, None), matrix)
    assert difference(warped, np.full((64, 64, 3), (200, 30, 90))) <= 1


def test_what_lies_beyond_a_letterbox_is_its_background():
    preprocess = Preprocess(64, 64, resize_mode="letterbox")
    image = Image.new("RGB", (50, 70), (200, 30, 90))
    warped = np.asarray(render(image, preprocess, view_of(image.size, preprocess, None), affine(rotate=35)))
    for corner in (warped[0, 0], warped[0, -1], warped[-1, 0], warped[-1, -1]):
        assert tuple(corner) == preprocess.background


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3)])
@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
def test_extreme_shapes_work(size, mode):
    preprocess = Preprocess(32, 32, resize_mode=mode)
    image = Image.new("RGB", size, (10, 20, 30))
    for crop in (None, Crop(0.4, 0.4, 1.0, 1.0)):
        view = view_of(size, preprocess, crop)
        for matrix in (None, affine(rotate=20) @ shift(0.1, 0.2)):
            warped = np.asarray(render(image, preprocess, view, matrix))
            assert warped.shape == (32, 32, 3)
            if mode != "letterbox":
                assert difference(warped, np.full((32, 32, 3), (10, 20, 30))) <= 1


def test_shrinking_a_fine_pattern_does_not_alias():
    """Every second column white: seen from afar it is grey, whatever the warp."""
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[:, ::2] = 255
    preprocess = Preprocess(64, 64)
    image = Image.fromarray(pixels)
    warped = np.asarray(render(image, preprocess, view_of(image.size, preprocess, None), affine(rotate=3, zoom=1.05)))
    assert np.abs(warped[4:-4, 4:-4].astype(int) - 127).max() <= 6
