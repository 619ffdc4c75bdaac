"""A program that is wrong in one known way is told which; one that is sound has none; the rest is said honestly."""

from dataclasses import replace

import numpy as np
import pytest

from clf_cli.engine.onnx_answers import GivenAnswers
from clf_cli.engine.onnx_answers_match import Matcher
from clf_cli.engine.onnx_answers_search import Inquiry, explain_answers
from clf_cli.engine.onnx_consumer import open_consumer
from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_export import contract_of
from clf_cli.engine.onnx_fault_images import Pictures
from clf_cli.engine.onnx_known_ways import known_ways
from clf_cli.engine.onnx_metadata import Made
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.network import load_network
from clf_cli.values.labels import Labels
from clf_cli.values.predictions import softmax
from tests.odd_images import draw_odd_images
from tests.onnx_models import FACTS, write_checkpoint

NAMES = Labels(("1", "10", "2", "20", "rot"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file whose network is lively enough that one stage moves its answers, and images that exercise every stage."""
    root = tmp_path_factory.mktemp("answers")
    checkpoint = read_checkpoint(write_checkpoint(root / "best.ckpt", replace(FACTS, labels=NAMES)))
    network, weights = load_network(checkpoint, None, fused_attention=False)
    write_onnx(network, contract_of(checkpoint, weights), Made("torchscript", 18), root / "model.onnx")
    consumer = open_consumer(root / "model.onnx", 1)
    pictures = Pictures(tuple(draw_odd_images(root / "images", 12)))
    return lively(consumer, pictures), pictures


def lively(consumer, pictures):
    """Logits centred and stretched, so that the images are of several classes."""
    sample = consumer.logits(pictures.prepared([consumer.recipe]).inputs(consumer.recipe))
    centre, spread = sample.mean(axis=0), sample.std()
    return replace(consumer, logits=lambda inputs: (consumer.logits(inputs) - centre) / spread * np.float32(3))


def logits_of(made, **changes):
    consumer, pictures = made
    recipe = replace(consumer.recipe, **changes)
    return consumer.logits(pictures.prepared([recipe]).inputs(recipe))


def explained(made, told, values, labels, temperature=None, tolerance=1e-3):
    consumer, pictures = made
    paths = tuple(source.name for source in pictures.sources)
    known = np.full((len(paths), len(NAMES)), np.nan) if values is None else np.asarray(values, np.float64)
    given = GivenAnswers(consumer.path, told, paths, np.asarray(labels, np.int64), known)
    return explain_answers(Inquiry(consumer, pictures, Matcher(given, NAMES, temperature, 1.0, tolerance)))


WAYS = [
    ("decode", {"exif": False}),
    ("decode", {"flatten": False}),
    ("decode", {"background": (0, 0, 0)}),
    ("decode", {"background": (255, 255, 255)}),
    ("color order", {"color": "BGR"}),
    ("color order", {"color": "BGR", "mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229)}),
    ("resize kernel", {"interpolation": "nearest"}),
    ("resize kernel", {"interpolation": "bilinear"}),
    ("resize kernel", {"interpolation": "lanczos"}),
    ("antialias", {"antialias": False}),
    ("resize mode", {"resize_mode": "crop"}),
    ("resize mode", {"resize_mode": "letterbox"}),
    ("resize mode", {"crop_share": 0.875}),
    ("normalisation", {"divisor": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)}),
    ("normalisation", {"mean": (0, 0, 0), "std": (1, 1, 1)}),
    ("normalisation", {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}),
    ("normalisation", {"mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229)}),
]


@pytest.mark.parametrize(("number", "stage", "change"), [(number, *way) for number, way in enumerate(WAYS)], ids=str)
def test_each_way_alone(made, number, stage, change):
    logits, told = logits_of(made, **change), ("logits", "probabilities")[number % 2]
    values = logits if told == "logits" else softmax(logits).round(5)
    found = explained(made, told, values, logits.argmax(axis=1))
    (fault,) = found.faults
    assert (found.reproduced, fault.stage) == (True, stage)
    assert fault.agreement_with == 1.0
    assert fault.difference_with < 1e-3 < fault.difference_without


@pytest.mark.parametrize(
    ("scores", "temperature", "words"),
    [
        (lambda logits: logits, None, "no softmax"),
        (lambda logits: softmax(softmax(logits)), None, "softmax twice"),
        (softmax, 2.0, "softmax without the contract's temperature"),
    ],
)
def test_what_is_made_of_logits(made, scores, temperature, words):
    logits = logits_of(made)
    found = explained(made, "probabilities", scores(logits), logits.argmax(axis=1), temperature)
    (fault,) = found.faults
    assert (found.reproduced, fault.stage, fault.found) == (True, "softmax", words)


def test_probabilities_told_as_logits(made):
    logits = logits_of(made)
    (fault,) = explained(made, "logits", softmax(logits), logits.argmax(axis=1)).faults
    assert fault.stage == "softmax"


AS_NUMBERS = [NAMES.indices[name] for name in ("1", "2", "10", "20", "rot")]


@pytest.mark.parametrize("told", ["logits", "probabilities", "labels"])
@pytest.mark.parametrize(("order", "words"), [(AS_NUMBERS, "sorted as numbers"), ([4, 3, 0, 1, 2], "another order")])
def test_label_order(made, told, order, words):
    logits, order = logits_of(made), np.array(order)
    moved = np.empty_like(logits)
    moved[:, order] = logits
    values = {"logits": moved, "probabilities": softmax(moved), "labels": None}[told]
    found = explained(made, told, values, order[logits.argmax(axis=1)])
    (fault,) = found.faults
    assert (found.reproduced, fault.stage, words in fault.found) == (True, "label order", True)
    assert (fault.agreement_with, fault.agreement_without < 1) == (1.0, True)


def test_right_numbers_under_wrong_names(made):
    logits, order = logits_of(made), np.array(AS_NUMBERS)
    found = explained(made, "logits", logits, order[logits.argmax(axis=1)])
    (fault,) = found.faults
    assert (found.reproduced, fault.stage, "of right numbers" in fault.found) == (True, "label order", True)


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        ({"interpolation": "bilinear", "antialias": False}, ("antialias", "resize kernel")),
        ({"color": "BGR", "resize_mode": "crop"}, ("color order", "resize mode")),
        (
            {"color": "BGR", "interpolation": "bilinear", "antialias": False, "mean": (0, 0, 0), "std": (1, 1, 1)},
            ("antialias", "color order", "normalisation", "resize kernel"),
        ),
        ({"exif": False, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}, ("decode", "normalisation")),
    ],
    ids=str,
)
def test_ways_together(made, change, stages):
    logits = logits_of(made, **change)
    found = explained(made, "logits", logits, logits.argmax(axis=1))
    assert found.reproduced
    assert sorted(fault.stage for fault in found.faults) == list(stages)


def test_a_stage_and_the_labels(made):
    logits, order = logits_of(made, resize_mode="letterbox"), np.array(AS_NUMBERS)
    moved = np.empty_like(logits)
    moved[:, order] = logits
    found = explained(made, "probabilities", softmax(moved), order[logits.argmax(axis=1)])
    assert (found.reproduced, [fault.stage for fault in found.faults]) == (True, ["resize mode", "label order"])


def test_a_program_that_rounds_otherwise_is_still_recognised(made):
    """As one with another library for the same resize: a grey level here and there."""
    noise = np.random.default_rng(0).normal(0, 2e-3, logits_of(made).shape)
    logits = logits_of(made, color="BGR") + noise
    found = explained(made, "logits", logits, logits.argmax(axis=1))
    assert (found.reproduced, [fault.stage for fault in found.faults]) == (True, ["color order"])


def test_a_way_that_nobody_knows(made):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, logits_of(made).shape)
    found = explained(made, "logits", logits, logits.argmax(axis=1))
    assert not found.reproduced


def test_labels_alone_may_not_tell_ways_apart(made):
    """Ways that give the very same labels are all named."""
    logits = logits_of(made, color="BGR")
    found = explained(made, "labels", None, logits.argmax(axis=1))
    assert found.reproduced
    named = {found.faults[0].stage} | {one.rpartition(" ")[0] for one in found.also}
    assert "color order" in named


def test_known_ways_differ_from_the_recipe_and_from_each_other(made):
    recipe = made[0].recipe
    ways = known_ways(recipe)
    assert recipe not in ways
    assert len(set(ways)) == len(ways)
    in_graph = replace(recipe, dtype="uint8", layout="NHWC")
    assert all(way.mean == in_graph.mean for way in known_ways(in_graph))
