import numpy as np
import pytest

from clf_cli.data.draws import COLUMNS, draw_numbers
from clf_cli.data.knobs import PRESETS, Augment
from clf_cli.data.placement import canvas_sizes, colors, kept_sizes, placements
from clf_cli.values.preprocess import Preprocess
from tests import plain_augmentation as plain

SIZES = [(400, 300), (90, 200), (64, 64), (33, 500)]
MODES = ["squash", "crop", "letterbox"]


def preprocess_of(mode: str) -> Preprocess:
    return Preprocess(48, 64, resize_mode=mode, crop_share=1.0 if mode == "letterbox" else 0.9)


def plain_matrix(draws, size, augment: Augment, preprocess: Preprocess):
    """Output pixel to source pixel, of one image."""
    choices = plain.choose(augment.randaugment, draws[:8].tolist())
    crop = plain._crop(augment.crop_scale, draws[12:16].tolist()) if augment.crop_scale < 1 else None
    matrix = plain.geometry(choices, plain._matrix(augment, draws[16:25].tolist()))
    view = plain.view_of(size, preprocess, crop)
    target = (preprocess.width, preprocess.height)
    whole = np.diag([view.width / target[0], view.height / target[1], 1.0])
    whole[:2, 2] = view.left, view.top
    whole = whole @ plain._to_pixels(matrix, target)
    if augment.flip and draws[25] < 0.5:
        whole = whole @ np.array([[-1.0, 0, target[0]], [0, 1, 0], [0, 0, 1]])
    return whole / whole[2, 2]


def moved(matrix, points):
    there = matrix @ points
    return there[:2] / there[2]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["basic", "strong", "ocr"])
def test_the_batch_is_placed_as_each_image_would_be(name, mode):
    augment, preprocess = PRESETS[name], preprocess_of(mode)
    draws = draw_numbers(0, 0, np.arange(200))
    sizes = np.array([SIZES[at % len(SIZES)] for at in range(200)])
    matrices = placements(draws, sizes, augment, preprocess)
    canvases, kept = canvas_sizes(sizes, preprocess, augment), kept_sizes(sizes, preprocess)
    corners = np.array([[0.0, 64, 0, 64], [0, 0, 48, 48], [1, 1, 1, 1]])
    for at, matrix in enumerate(matrices):
        source = moved(plain_matrix(draws[at], tuple(sizes[at].tolist()), augment, preprocess), corners)
        if np.array_equal(kept[at], sizes[at]):
            expected = source * (canvases[at] / sizes[at])[:, None]
            assert np.abs(moved(matrix, corners) - expected).max() <= 0.5 + 1e-6  # plain crops go to whole pixels


def test_a_crop_alone_has_its_edges_on_whole_pixels():
    matrices = placements(
        draw_numbers(1, 2, np.arange(50)), [(400, 300)] * 50, PRESETS["basic"], preprocess_of("squash")
    )
    edges = np.stack([moved(matrix, np.array([[0.0, 64], [0, 48], [1, 1]])) for matrix in matrices])
    assert np.abs(edges - np.rint(edges)).max() < 1e-9
    assert len(np.unique(edges.round(), axis=0)) > 45


@pytest.mark.parametrize("mode", MODES)
def test_the_canvas_shows_what_evaluation_shows_at_the_networks_size_or_a_little_more(mode):
    preprocess = preprocess_of(mode)
    for augment in (PRESETS["none"], PRESETS["ocr"], PRESETS["basic"], PRESETS["strong"]):
        matrices = placements(np.full((4, COLUMNS), 0.5), SIZES, augment, preprocess)
        scale = np.linalg.norm(matrices[:, :2, :2], axis=1)
        assert scale.min() > 0.65
        assert scale.max() < 1.45
    assert (canvas_sizes(SIZES, preprocess, Augment("x", flip=True, color=1)) == (64, 48)).all()


def test_of_a_very_long_image_the_canvas_holds_the_middle():
    sizes = canvas_sizes([(48_000, 48)], Preprocess(48, 48, resize_mode="crop"), PRESETS["ocr"])
    assert sizes.tolist() == [[8 * 48, 48]]


def test_colors_keep_grey_and_the_mean():
    draws = draw_numbers(3, 0, np.arange(300))
    matrices = colors(draws, np.full(300, 100.0), Augment("x", color=0.4))
    grey = matrices @ np.array([100.0, 100, 100, 1])
    assert np.ptp(grey, axis=1).max() < 1e-9
    brightness = 1 + 0.4 * (2 * draws[:, 26] - 1)
    assert grey[:, 0] == pytest.approx(100 * brightness)
    assert np.allclose(colors(draws, np.full(300, 100.0), Augment("x")), np.eye(3, 4))
