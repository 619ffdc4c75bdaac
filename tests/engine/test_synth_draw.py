import numpy as np
import pytest
from PIL import Image

from clf_cli.engine.synth_draw import COLORS, SIDES, draw_jersey, pairs


def drawn(label: str, seed: int, heights: tuple[int, ...] = ()) -> tuple[Image.Image, dict[str, str]]:
    return draw_jersey(label, np.random.default_rng((seed, 5)), heights)


@pytest.mark.parametrize("label", ["", "0", "00", "7", "47", "007"])
def test_images_are_small_rgb_with_their_metadata(label):
    for seed in range(12):
        image, metadata = drawn(label, seed)
        assert image.mode == "RGB"
        assert all(SIDES[0] <= side <= SIDES[1] for side in image.size)
        assert set(metadata) == {"jersey_color", "number_color", "blur", "source"}
        assert metadata["jersey_color"] in COLORS
        assert metadata["blur"] in {"none", "light", "strong"}
        assert metadata["source"] == "synth"


def test_equal_seeds_draw_equal_pixels_and_others_do_not():
    first, second, other = (np.asarray(drawn("23", seed)[0]) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_only_the_empty_class_lacks_a_number_or_is_smeared():
    empty = [drawn("", seed)[1] for seed in range(60)]
    assert {"none"} < {metadata["number_color"] for metadata in empty}
    assert {"strong"} < {metadata["blur"] for metadata in empty}
    others = [drawn("8", seed)[1] for seed in range(60)]
    assert all(metadata["number_color"] != "none" and metadata["blur"] != "strong" for metadata in others)


def test_jersey_and_number_always_differ_in_brightness():
    assert len(pairs()) > 40
    for jersey, number in pairs():
        assert abs(np.mean(COLORS[jersey]) - np.mean(COLORS[number])) > 30


def test_heights_of_other_data_are_followed():
    for seed in range(8):
        assert drawn("5", seed, (96, 120))[0].height in {96, 120}


def test_the_number_is_in_the_picture():
    """The nearest of the classes' mean edge images names unseen images far above chance (0.2)."""

    def features(label: str, seeds: range) -> np.ndarray:
        rows = []
        for seed in seeds:
            grey = np.asarray(drawn(label, seed)[0].convert("L").resize((16, 16)), dtype=np.float64)
            edges = np.hypot(*np.gradient(grey))
            rows.append(edges.ravel() / (np.linalg.norm(edges) + 1e-9))
        return np.array(rows)

    labels = ["", "1", "0", "00", "47"]
    means = [features(label, range(60)).mean(axis=0) for label in labels]
    right = [
        np.argmin([np.linalg.norm(row - mean) for mean in means]) == index
        for index, label in enumerate(labels)
        for row in features(label, range(60, 90))
    ]
    assert np.mean(right) > 0.5


@pytest.mark.parametrize(("label", "number"), [("17", 68), ("65", 19)])
def test_a_band_below_the_picture_is_no_error(label, number):
    """Images of `clf synth --images 2400 --classes 12 --imbalance 4 --seed 1` whose lower part is cut away."""
    code = int.from_bytes(b"\1" + label.encode(), "big")
    image, _ = draw_jersey(label, np.random.default_rng((1, 0, code, number)), ())
    assert all(SIDES[0] <= side <= SIDES[1] for side in image.size)
