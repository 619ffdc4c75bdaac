"""What a stage is, and how far answers are apart."""

import json
from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest

from clf_cli.engine.onnx_consumer import Recipe
from clf_cli.engine.onnx_fault import FIELDS, Distance, described, distance, fault_of, stages_between, swapped

PLAIN = Recipe(8, 12, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
CHANGES = {
    "decode": {"exif": False},
    "color order": {"color": "BGR"},
    "resize kernel": {"interpolation": "bilinear"},
    "antialias": {"antialias": False},
    "resize mode": {"resize_mode": "crop"},
    "normalisation": {"mean": (0.0, 0.0, 0.0)},
}


def test_every_field_of_a_recipe_belongs_to_one_stage():
    """But the size, and how the network takes its input: those are the file's."""
    owned = [field for names in FIELDS.values() for field in names]
    assert len(set(owned)) == len(owned)
    assert {field.name for field in fields(Recipe)} - set(owned) == {"height", "width", "layout", "dtype"}


@pytest.mark.parametrize("stage", CHANGES)
def test_a_stage_alone(stage):
    wrong = replace(PLAIN, **CHANGES[stage])
    assert stages_between(wrong, PLAIN) == (stage,)
    assert swapped(wrong, PLAIN, stage) == PLAIN
    assert described(wrong, PLAIN, stage) != described(PLAIN, wrong, stage)


@pytest.mark.parametrize("pair", list(combinations(CHANGES, 2)), ids=str)
def test_two_stages(pair):
    wrong = replace(PLAIN, **CHANGES[pair[0]], **CHANGES[pair[1]])
    assert set(stages_between(wrong, PLAIN)) == set(pair)
    for stage, other in (pair, pair[::-1]):
        assert stages_between(swapped(wrong, PLAIN, stage), PLAIN) == (other,)


def test_channels_that_keep_their_own_statistics_are_one_stage():
    wrong = replace(PLAIN, color="BGR", mean=PLAIN.mean[::-1], std=PLAIN.std[::-1])
    assert stages_between(wrong, PLAIN) == ("color order",)
    assert swapped(wrong, PLAIN, "color order") == PLAIN


def test_what_plays_no_part_is_no_difference():
    assert stages_between(replace(PLAIN, bars=(0, 0, 0)), PLAIN) == ()
    boxed = replace(PLAIN, resize_mode="letterbox")
    assert stages_between(replace(boxed, crop_share=0.5), boxed) == ()
    assert stages_between(replace(boxed, bars=(0, 0, 0)), boxed) == ("resize mode",)


def test_distance():
    expected = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1e-6]], np.float32)
    assert distance(expected, expected) == Distance(1.0, 0.0, 0.0, 0.0)
    found = distance(expected, expected[:, ::-1])
    assert (found.agreement, found.difference, found.relative) == (0.0, 2.0, 1.0)
    assert found.error > 1
    lost = distance(expected, np.full_like(expected, np.nan))
    assert lost.agreement < 1
    assert np.isnan([lost.difference, lost.relative, lost.error]).all()


def test_a_fault_is_json_whatever_its_numbers_are():
    nan = float("nan")
    fault = fault_of("graph", ("a", "b"), 3, Distance(0.5, nan, nan, nan), Distance(1.0, 0.0, 0.0, 0.0))
    told = json.loads(json.dumps(fault.to_json(), allow_nan=False))
    assert told["agreement"] == {"without": 0.5, "with": 1.0}
    assert told["difference"] == {"without": None, "with": 0.0}
