"""The evaluation transform: every mode on images of every shape, and the arithmetic of its two directions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st
from PIL import Image

from clf_cli.values.preprocess import Preprocess, normalize, preprocess_image, resize

SIZES = {"landscape": (90, 30), "portrait": (30, 90), "square": (64, 64), "pixel": (1, 1), "line": (400, 1)}
MODES = ("squash", "crop", "letterbox")
QUADRANTS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], dtype=np.uint8)


def noise(size, seed=0):
    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def ramp(width, height):
    """Red grows with x, green with y: what of an image is kept can be read off."""
    x = np.linspace(0, 255, width).round().astype(np.uint8)
    y = np.linspace(0, 255, height).round().astype(np.uint8)
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = x[None, :], y[:, None]
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_every_image_fills_the_input(mode, size, interpolation):
    preprocess = Preprocess(24, 40, mode, interpolation)
    pixels = resize(noise(size), preprocess)
    assert (pixels.shape, pixels.dtype) == ((24, 40, 3), np.uint8)
    values = preprocess_image(noise(size), preprocess)
    assert (values.shape, values.dtype) == ((3, 24, 40), np.float32)
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, normalize(pixels, preprocess))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_one_colour_stays_that_colour(mode, size):
    pixels = resize(Image.new("RGB", size, (10, 200, 30)), Preprocess(24, 24, mode, background=(10, 200, 30)))
    assert (pixels == (10, 200, 30)).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_an_image_of_the_right_size_is_not_touched(mode, share):
    if mode == "letterbox" or share == 1.0:
        image = noise((40, 24))
        np.testing.assert_array_equal(resize(image, Preprocess(24, 40, mode, crop_share=share)), np.asarray(image))


@pytest.mark.parametrize("mode", MODES)
def test_corners_stay_where_they_are(mode):
    pixels = resize(Image.fromarray(QUADRANTS), Preprocess(32, 32, mode, "nearest"))
    np.testing.assert_array_equal(pixels[::31, ::31], QUADRANTS)


@pytest.mark.parametrize("size", [(100, 300), (200, 300), (720, 1280), (300, 100), (11, 13)])
def test_the_width_is_made_first(size):
    """Pillow 13 would begin with the height of the tall ones, and rounds to 8 bits between: not Pillow 12's pixels."""
    image = noise(size)
    wide = image.resize((32, size[1]), Image.Resampling.BICUBIC)
    pixels = resize(image, Preprocess(32, 32, "squash", "bicubic"))
    np.testing.assert_array_equal(pixels, np.asarray(wide.resize((32, 32), Image.Resampling.BICUBIC)))


def test_squash_keeps_the_whole_image():
    pixels = resize(ramp(300, 60), Preprocess(32, 32, "squash", "bilinear"))
    assert pixels[:, 0, 0].max() < 10
    assert pixels[:, -1, 0].min() > 245
    assert pixels[0, :, 1].max() < 10
    assert pixels[-1, :, 1].min() > 245


@pytest.mark.parametrize("size", [(300, 60), (60, 300)])
def test_crop_cuts_the_centre_out_of_the_long_side(size):
    pixels = resize(ramp(*size), Preprocess(30, 30, "crop", "bilinear")).astype(int)
    long, short = (0, 1) if size[0] > size[1] else (1, 0)
    along_long, along_short = pixels[..., long], pixels[..., short]
    assert (along_long.min(), along_long.max()) == (pytest.approx(255 * 0.4, abs=4), pytest.approx(255 * 0.6, abs=4))
    assert along_short.min() < 10
    assert along_short.max() > 245


@pytest.mark.parametrize("mode", ["squash", "crop"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_crop_share_keeps_that_share_of_each_side(mode, share):
    pixels = resize(ramp(200, 200), Preprocess(40, 40, mode, "bilinear", crop_share=share)).astype(int)
    edge = 255 * (1 - share) / 2
    for channel in (0, 1):
        assert pixels[..., channel].min() == pytest.approx(edge, abs=5)
        assert pixels[..., channel].max() == pytest.approx(255 - edge, abs=5)


def test_letterbox_takes_no_crop_share():
    image = noise((57, 31))
    np.testing.assert_array_equal(
        resize(image, Preprocess(32, 32, "letterbox", crop_share=0.5)), resize(image, Preprocess(32, 32, "letterbox"))
    )


@pytest.mark.parametrize(
    ("size", "inner"), [((90, 30), (slice(8, 16), slice(0, 24))), ((30, 90), (slice(0, 24), slice(8, 16)))]
)
def test_letterbox_keeps_the_aspect_and_fills_with_bars(size, inner):
    background = (9, 99, 199)
    pixels = resize(Image.new("RGB", size, (255, 255, 255)), Preprocess(24, 24, "letterbox", background=background))
    bars = np.ones((24, 24), dtype=bool)
    bars[inner] = False
    assert (pixels[bars] == background).all()
    assert (pixels[~bars] == 255).all()


@with_options(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64), st.integers(1, 64))
def test_letterbox_cuts_nothing_off(width, height, input_height, input_width):
    pixels = resize(Image.new("RGB", (width, height)), Preprocess(input_height, input_width, "letterbox", "nearest"))
    image = (pixels == 0).all(axis=2)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert len(rows) == input_height or len(columns) == input_width
    assert image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    scale = min(input_width / width, input_height / height)
    assert len(rows) == pytest.approx(max(1, height * scale), abs=0.51)
    assert len(columns) == pytest.approx(max(1, width * scale), abs=0.51)
    assert abs((input_height - 1 - rows[-1]) - rows[0]) <= 1
    assert abs((input_width - 1 - columns[-1]) - columns[0]) <= 1


def test_shrinking_averages_instead_of_picking():
    checks = Image.fromarray(np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 255).convert("RGB")
    pixels = resize(checks, Preprocess(8, 8, "squash", "bilinear"))
    assert np.abs(pixels.astype(int) - 128).max() <= 8


# The arithmetic

channel = st.floats(0.0625, 1, width=32)
channels = st.tuples(channel, channel, channel)


@with_options(derandomize=True, deadline=None, max_examples=40)
@given(channels, channels)
def test_every_level_can_be_told_from_its_normalized_value(mean, std):
    preprocess = Preprocess(16, 16, mean=mean, std=std)
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    pixels = pixels + np.array([0, 85, 170], dtype=np.uint8)
    values = normalize(pixels, preprocess)
    assert values.dtype == np.float32
    back = (np.moveaxis(values, -3, -1) * np.float32(std) + np.float32(mean)) * 255
    np.testing.assert_array_equal(np.rint(back), pixels)


@with_options(derandomize=True, deadline=None, max_examples=40)
@given(channels, channels, st.integers(0, 2**32 - 1))
def test_normalized_values_are_those_of_the_formula_bit_for_bit(mean, std, seed):
    preprocess = Preprocess(16, 48, mean=mean, std=std)
    rng = np.random.default_rng(seed)
    pixels = np.stack([rng.permutation(np.arange(768, dtype=np.uint16) % 256) for _ in range(3)], axis=1)
    pixels = pixels.astype(np.uint8).reshape(16, 48, 3)
    formula = (pixels.astype(np.float32) / np.float32(255) - np.float32(mean)) / np.float32(std)
    expected = np.ascontiguousarray(formula.transpose(2, 0, 1))
    room = np.full((3, 16, 48), np.nan, np.float32)
    assert normalize(pixels, preprocess, room) is room
    for values in (room, normalize(pixels, preprocess), normalize(pixels[None], preprocess)[0]):
        np.testing.assert_array_equal(values.view(np.uint32), expected.view(np.uint32))
        assert values.flags.c_contiguous


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_an_image_goes_into_the_room_that_is_given(mode, in_graph):
    preprocess = Preprocess(24, 40, mode, normalized_in_graph=in_graph)
    image = noise((61, 33))
    expected = preprocess_image(image, preprocess)
    room = np.full((2, *preprocess.input_shape), 7, expected.dtype)
    assert np.shares_memory(preprocess_image(image, preprocess, room[1]), room)
    np.testing.assert_array_equal(room[1], expected)
    assert (room[0] == 7).all()


def test_normalize_is_per_channel_on_the_scale_of_one():
    preprocess = Preprocess(1, 2, mean=(0.5, 0.0, 0.2), std=(0.5, 1.0, 0.4))
    pixels = np.array([[[255, 51, 0], [0, 255, 102]]], dtype=np.uint8)
    expected = np.array([[[1.0, -1.0]], [[0.2, 1.0]], [[-0.5, 0.5]]], dtype=np.float32)
    np.testing.assert_allclose(normalize(pixels, preprocess), expected, atol=1e-6)


def test_batches_are_images_one_by_one():
    preprocess = Preprocess(6, 5)
    batch = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 5, 3), dtype=np.uint8)
    values = normalize(batch, preprocess)
    assert values.shape == (2, 4, 3, 6, 5)
    np.testing.assert_array_equal(values[1, 2], normalize(batch[1, 2], preprocess))


def test_unknown_and_missing_keys_are_type_errors():
    data = Preprocess(8, 8).to_json()
    with pytest.raises(TypeError):
        Preprocess.from_json({**data, "later": 1})
    with pytest.raises(TypeError):
        Preprocess.from_json({"height": 8})
