import numpy as np
import pytest
from PIL import Image

from clf_cli.data.randaugment import COLOURS, GEOMETRIC, NAMES, OPERATIONS, Choice, choose, geometric, recolor


def picture() -> Image.Image:
    y, x = np.mgrid[0:40, 0:40]
    chequers = 20 * (x // 4 % 2)
    return Image.fromarray(np.stack([60 + 4 * x + chequers, 50 + 4 * y, 200 - 2 * x], axis=-1).astype(np.uint8))


def test_magnitude_zero_is_off():
    assert choose(0, [0.5] * 8) == []


def test_every_operation_can_be_chosen_in_both_directions():
    draws = np.random.default_rng(0).random((4000, 8)).tolist()
    choices = [choice for row in draws for choice in choose(15, row)]
    assert len(choices) == 4000 * OPERATIONS
    assert {(choice.name, choice.strength) for choice in choices} == {(name, s) for name in NAMES for s in (-0.5, 0.5)}
    counts = [sum(choice.name == name for choice in choices) for name in NAMES]
    assert max(counts) < 1.25 * min(counts)


@pytest.mark.parametrize("name", sorted(COLOURS))
@pytest.mark.parametrize("strength", [-1.0, -0.5, 0.5, 1.0])
def test_colour_operations_keep_size_and_mode(name, strength):
    changed = recolor(picture(), [Choice(name, strength)])
    assert (changed.size, changed.mode) == ((40, 40), "RGB")
    assert (np.asarray(changed) != np.asarray(picture())).any() == (name != "identity")


@pytest.mark.parametrize("name", ["brightness", "color", "contrast", "posterize", "solarize"])
def test_a_greater_magnitude_changes_more(name):
    bright = Image.fromarray(np.clip(np.asarray(picture()).astype(int) + 40, 0, 255).astype(np.uint8))
    distances = [
        np.abs(np.asarray(recolor(bright, [Choice(name, magnitude / 30)]), int) - np.asarray(bright, int)).mean()
        for magnitude in (6, 15, 30)
    ]
    assert distances == sorted(distances)
    assert distances[0] < distances[2]


def test_geometric_choices_join_the_matrix_and_the_others_do_not():
    def draw(*names: str) -> list[float]:
        return [value for name in names for value in ((NAMES.index(name) + 0.5) / len(NAMES), 0.1)] + [0.0] * 4

    draws = np.array([draw("solarize", "identity"), draw("rotate", "shift-x"), draw("shift-x", "color")])
    unmoved, turned, shifted = geometric(draws, 15, np.tile(np.eye(3), (3, 1, 1)))
    assert np.array_equal(unmoved, np.eye(3))
    rotate, right = (GEOMETRIC[name](np.float64(0.5)) for name in ("rotate", "shift-x"))
    assert np.allclose(turned, right @ rotate)
    assert np.allclose(shifted, right)
    assert np.array_equal(np.asarray(recolor(picture(), [Choice("rotate", 1.0)])), np.asarray(picture()))
