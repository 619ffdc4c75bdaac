import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clf_cli.data.augment import Keys, augment_image
from clf_cli.data.knobs import NUMBER_CROP, PRESETS, Augment, are_numbers, resolve_augment
from clf_cli.settings.sections import AugmentSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess, resize

FRUIT = Labels(("apple", "pear"))
NUMBERS = Labels(("", "0", "00", "23"))


def scene(width: int = 48, height: int = 60) -> Image.Image:
    """Bright at the left, dark at the right; blue at the top."""
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]  # fmt: skip
    pixels = np.stack([230 - 180 * x, 150 - 60 * x, 200 - 150 * y], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def augmented(augment: Augment, image: Image.Image, preprocess: Preprocess, count: int = 40):
    return list(augment_image(image, preprocess, augment, Keys(0, 0, range(count))))


@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(48, 60), (500, 90)])
def test_none_is_exactly_what_evaluation_sees(mode, size):
    preprocess = Preprocess(40, 40, resize_mode=mode)
    augment = resolve_augment(AugmentSection(preset="none"), FRUIT)
    image = scene(*size)
    pixels = augment_image(image, preprocess, augment, Keys(0, 0, [0]))[0]
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, resize(image, preprocess))


@pytest.mark.parametrize("preset", ["basic", "strong", "ocr"])
@pytest.mark.parametrize("mode", ["squash", "crop", "letterbox"])
def test_an_image_is_a_function_of_its_key_and_differs_between_keys(preset, mode):
    augment = resolve_augment(AugmentSection(preset=preset), FRUIT)
    preprocess = Preprocess(40, 56, resize_mode=mode)
    image = scene()
    before = np.asarray(image).copy()
    for index in range(20):
        first, again, later, other = (
            augment_image(image, preprocess, augment, Keys(seed, epoch, [at]))[0]
            for seed, epoch, at in ((3, 0, index), (3, 0, index), (3, 1, index), (4, 0, index))
        )
        assert first.shape == (40, 56, 3)
        assert np.array_equal(first, again)
        assert not np.array_equal(first, later)
        assert not np.array_equal(first, other)
    assert np.array_equal(np.asarray(image), before)


def test_augmentation_leaves_the_global_random_state_alone():
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    augmented(resolve_augment(AugmentSection(preset="strong"), FRUIT), scene(), Preprocess(32, 32), 5)
    assert np.random.random() == expected


def is_mirrored(pixels) -> bool:
    red = pixels[..., 0].astype(float)
    return red[:, : red.shape[1] // 3].mean() < red[:, -red.shape[1] // 3 :].mean()


@pytest.mark.parametrize(
    ("section", "labels", "flips"),
    [
        (AugmentSection(preset="ocr"), FRUIT, False),
        (AugmentSection(preset="ocr"), NUMBERS, False),
        (AugmentSection(preset="ocr", flip=True), NUMBERS, True),
        (AugmentSection(preset="basic"), FRUIT, True),
        (AugmentSection(preset="basic"), NUMBERS, False),
        (AugmentSection(preset="basic", flip=True), NUMBERS, True),
        (AugmentSection(preset="basic", flip=False), FRUIT, False),
        (AugmentSection(preset="strong", erase=0, randaugment=0), FRUIT, True),
        (AugmentSection(preset="strong", erase=0, randaugment=0), NUMBERS, False),
        (AugmentSection(preset="none", flip=True), FRUIT, True),
    ],
)
def test_flips_happen_only_where_they_should(section, labels, flips):
    pictures = augmented(resolve_augment(section, labels), scene(), Preprocess(32, 32), 60)
    mirrored = sum(map(is_mirrored, pictures))
    assert 15 <= mirrored <= 45 if flips else mirrored == 0


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("", "0", "00", "7"), True),
        (("a", "b", "ß"), True),
        (("1", "x"), True),
        (("10", "x1"), False),
        (("apple", "1"), False),
        (("", "left"), False),
        (("-1", "2"), False),
    ],
)
def test_numbers_are_digits_single_characters_and_nothing(names, numbers):
    assert are_numbers(Labels.of(names)) is numbers


def test_numbers_are_said_to_stay_unflipped_and_whole():
    resolved = resolve_augment(AugmentSection(), NUMBERS)
    assert (resolved.flip, resolved.crop_scale) == (False, NUMBER_CROP)
    assert "--flip" in resolved.notes[0]
    assert "--crop-scale" in resolved.notes[1]
    assert resolve_augment(AugmentSection(), FRUIT).notes == ()
    assert resolve_augment(AugmentSection(preset="ocr"), NUMBERS).notes == ()
    given = resolve_augment(AugmentSection(flip=True, crop_scale=0.2), NUMBERS)
    assert (given.flip, given.crop_scale, given.notes) == (True, 0.2, ())


def test_a_knob_changes_only_itself():
    resolved = resolve_augment(AugmentSection(preset="ocr", rotate=0, blur=1.0, crop_scale=0.5, randaugment=5), FRUIT)
    expected = {"rotate": 0, "blur": 1.0, "crop_scale": 0.5, "randaugment": 5}
    for name in Augment.__dataclass_fields__:
        assert getattr(resolved, name) == expected.get(name, getattr(PRESETS["ocr"], name)), name


def test_every_setting_but_the_batch_ones_is_a_knob():
    assert set(AugmentSection.model_fields) - {"mixup", "cutmix"} == set(Augment.__dataclass_fields__) - {
        "erase_area",
        "notes",
    }


def test_switching_a_knob_off_leaves_the_other_choices_as_they_were():
    image, preprocess = scene(), Preprocess(32, 32)
    both = Augment("x", rotate=20, color=0.3, erase=1.0)
    turned = Augment("x", rotate=20, color=0.3)
    for index in range(10):
        a, b = (augment_image(image, preprocess, knobs, Keys(0, 0, [index]))[0] for knobs in (both, turned))
        assert (a == b).all(axis=-1).mean() > 0.75  # all but the erased rectangle


@pytest.mark.parametrize(
    "knob",
    ["rotate", "translate", "zoom", "shear", "perspective", "color", "blur", "jpeg", "noise", "downscale", "erase"],
)
def test_every_knob_alone_changes_the_picture_and_keeps_it_recognisable(knob):
    rng = np.random.default_rng(0)
    pixels = np.clip(np.asarray(scene(80, 80)).astype(int) + rng.integers(-30, 30, (80, 80, 3)), 0, 255)
    image, preprocess = Image.fromarray(pixels.astype(np.uint8)), Preprocess(48, 48)
    strength = {"rotate": 15, "shear": 15, "translate": 0.1, "zoom": 0.2, "perspective": 0.4, "color": 0.4}.get(knob, 1)
    changed = augmented(Augment("x", **{knob: strength}), image, preprocess, 12)
    plain = resize(image, preprocess).astype(float)
    distances = [np.abs(picture.astype(float) - plain).mean() for picture in changed]
    assert np.mean(distances) > 0.3  # perspective leaves half of the images alone
    assert max(distances) < 60


def test_shares_are_shares():
    pictures = augmented(Augment("x", erase=0.25), scene(), Preprocess(24, 24), 400)
    plain = resize(scene(), Preprocess(24, 24))
    assert sum(not np.array_equal(picture, plain) for picture in pictures) == pytest.approx(100, abs=35)


def test_erasing_hides_no_more_than_it_may():
    preprocess = Preprocess(100, 100)
    plain = resize(scene(), preprocess)
    for picture in augmented(Augment("x", erase=1.0, erase_area=0.08), scene(), preprocess):
        hidden = (picture != plain).any(axis=-1).mean()
        assert 0.01 <= hidden <= 0.095


def test_colour_jitter_moves_brightness_and_saturation_about_their_middle():
    preprocess = Preprocess(24, 24)
    pictures = np.array(augmented(Augment("x", color=0.3), scene(), preprocess, 300), np.float64)
    plain = resize(scene(), preprocess).astype(np.float64)
    means = pictures.mean(axis=(1, 2, 3))
    assert means.mean() == pytest.approx(plain.mean(), rel=0.03)
    assert means.std() / plain.mean() == pytest.approx(0.3 / 3**0.5, rel=0.15)
    spread = np.ptp(pictures, axis=-1).mean(axis=(1, 2)) / np.ptp(plain, axis=-1).mean()
    assert spread.min() < 0.75
    assert spread.max() > 1.25


def test_grey_pictures_stay_grey_under_colour_jitter():
    grey = Image.fromarray(np.tile(np.linspace(30, 200, 40, dtype=np.uint8), (40, 1))).convert("RGB")
    for picture in augmented(Augment("x", color=1.0), grey, Preprocess(40, 40)):
        assert np.ptp(picture.astype(int), axis=-1).max() <= 1


@given(scale=st.floats(0.05, 0.99), index=st.integers(0, 10_000))
def test_crops_keep_their_share_of_area_and_of_each_side(scale, index):
    """The picture holds its own coordinates, so that a crop can be read off its pixels."""
    side = 250
    y, x = np.mgrid[0:side, 0:side].astype(np.uint8)
    image = Image.fromarray(np.stack([x, y, np.zeros_like(x)], axis=-1))
    augment = Augment("x", crop_scale=scale)
    preprocess = Preprocess(32, 32, interpolation="bilinear")
    pixels = augment_image(image, preprocess, augment, Keys(1, 2, [index]))[0].astype(float)
    wide, tall = ((pixels[0, -1, 0] - pixels[0, 0, 0]), (pixels[-1, 0, 1] - pixels[0, 0, 1]))
    wide, tall = wide * 32 / 31 / side, tall * 32 / 31 / side
    assert wide * tall >= scale - 0.03
    assert min(wide, tall) >= scale - 0.03


def test_downscaled_pictures_keep_enough_pixels_to_be_read():
    stripes = np.zeros((20, 20, 3), np.uint8)
    stripes[:, ::5] = 255
    preprocess = Preprocess(40, 40)
    for picture in augmented(Augment("x", downscale=1.0), Image.fromarray(stripes), preprocess):
        assert np.ptp(picture[..., 0].astype(int)) > 100
