"""Each fault alone is named, and nothing else; a sound file has none."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from clf_cli.engine.onnx_consumer import open_consumer
from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_export import contract_of
from clf_cli.engine.onnx_fault_images import Pictures, drawn
from clf_cli.engine.onnx_fault_search import Trial, find_faults
from clf_cli.engine.onnx_fp16 import halved
from clf_cli.engine.onnx_metadata import EXPORT_KEY, Made
from clf_cli.engine.onnx_wrap import with_pixels, with_probabilities
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.network import load_network, network_classifier
from clf_cli.values.contract import CONTRACT_KEY, Contract
from clf_cli.values.labels import Labels
from clf_cli.values.run_dir import RunDir
from tests.odd_images import draw_odd_images
from tests.onnx_models import FACTS, write_checkpoint
from tests.running import mark

NAMES = Labels(("1", "10", "2", "20", "grün", "rot", ""))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with a lively random network, averaged and live, its sound export, and images that exercise every stage."""
    root = tmp_path_factory.mktemp("faults")
    run = RunDir(root / "run")
    facts = replace(FACTS, labels=NAMES)
    checkpoint = read_checkpoint(write_checkpoint(run.best, facts))
    mark(run)
    for average, name in ((True, "sound"), (False, "live")):
        network, weights = load_network(checkpoint, average, fused_attention=False)
        write_onnx(network, contract_of(checkpoint, weights), Made("torchscript", 18), root / f"{name}.onnx")
    return root, network_classifier(run.best), Pictures(tuple(draw_odd_images(root / "images")))


def edited(made, name, edit):
    root, *_ = made
    model = onnx.load(root / "sound.onnx")
    edit(model)
    onnx.save(model, root / f"{name}.onnx")
    return open_consumer(root / f"{name}.onnx", 1)


def faults(made, file, pictures=None):
    return find_faults(Trial(file, made[1], pictures or made[2], threads=1))


def sound(made):
    return open_consumer(made[0] / "sound.onnx", 1)


def kernels(model):
    return [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]


def blue_first(model):
    first = next(tensor for tensor in kernels(model) if tensor.dims[1] == 3)
    values = np.ascontiguousarray(numpy_helper.to_array(first)[:, ::-1])
    first.CopyFrom(numpy_helper.from_array(values, first.name))


def one_kernel_off(model):
    tensor = kernels(model)[3]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.5), tensor.name))


def simplified(model):
    one_kernel_off(model)
    entry = next(entry for entry in model.metadata_props if entry.key == EXPORT_KEY)
    entry.value = json.dumps({**json.loads(entry.value), "simplifier": "onnxsim 0.8.1"})


def other_weights(model):
    rng = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim >= 2 and values.dtype == np.float32:
            noise = rng.normal(0, values.std(), values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(noise, tensor.name))


def rounded_too_much(model):
    """The inputs of the last layer in steps that are far too coarse."""
    last = next(node for node in reversed(model.graph.node) if node.op_type in ("Gemm", "MatMul"))
    for name, values in (("step", np.float32(3.0)), ("zero", np.uint8(128))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    nodes = [
        helper.make_node("QuantizeLinear", [last.input[0], "step", "zero"], ["quantised"]),
        helper.make_node("DequantizeLinear", ["quantised", "step", "zero"], ["rounded"]),
    ]
    place = list(model.graph.node).index(last)
    last.input[0] = "rounded"
    for offset, node in enumerate(nodes):
        model.graph.node.insert(place + offset, node)


CONTRACTS = {
    "decode": [{"exif": False}, {"flatten": False}, {"background": (0, 0, 0)}],
    "color order": [{"color": "BGR"}],
    "resize kernel": [{"interpolation": kernel} for kernel in ("nearest", "bilinear", "lanczos")],
    "antialias": [{"antialias": False}],
    "resize mode": [{"resize_mode": "crop"}, {"resize_mode": "letterbox"}, {"crop_share": 0.875}],
    "normalisation": [{"mean": (0.5, 0.5, 0.5)}, {"std": (0.5, 0.5, 0.5)}, {"divisor": 1.0}],
}
GRAPHS = {
    "color order": blue_first,
    "graph": one_kernel_off,
    "simplifier": simplified,
    "weights": other_weights,
    "precision": rounded_too_much,
}


def test_a_sound_file(made):
    assert faults(made, sound(made)) == ()


@pytest.mark.parametrize(
    ("stage", "change"), [(stage, change) for stage, changes in CONTRACTS.items() for change in changes], ids=str
)
def test_a_stage_before_the_network(made, stage, change):
    file = sound(made)
    (fault,) = faults(made, replace(file, recipe=replace(file.recipe, **change)))
    assert fault.stage == stage
    assert fault.found != fault.expected
    assert fault.images == len(made[2])
    assert fault.difference_with < 1e-4 < fault.difference_without
    assert fault.agreement_with == 1.0


@pytest.mark.parametrize(("stage", "edit"), GRAPHS.items(), ids=list(GRAPHS))
def test_a_part_of_the_model(made, stage, edit):
    (fault,) = faults(made, edited(made, stage.replace(" ", "-"), edit))
    assert fault.stage == stage
    assert fault.difference_with < 1e-4 < fault.difference_without


def test_other_weights_of_the_same_run_are_named(made):
    (fault,) = faults(made, open_consumer(made[0] / "live.onnx", 1))
    assert (fault.stage, fault.found) == ("weights", "checkpoints/best.ckpt (live)")
    assert fault.expected == "checkpoints/best.ckpt (ema)"
    assert fault.difference_with < 1e-4 < fault.difference_without


@pytest.mark.parametrize(
    ("names", "words"), [(("1", "2", "10", "20", "grün", "rot", ""), "10"), (NAMES.names[::-1], "rot")]
)
def test_label_order(made, names, words):
    (fault,) = faults(made, replace(sound(made), labels=Labels(names)))
    assert fault.stage == "label order"
    assert words in fault.expected
    assert (fault.agreement_with, fault.difference_with < 1e-4 < fault.difference_without) == (1.0, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"interpolation": "bilinear", "antialias": False},
        {"resize_mode": "letterbox", "mean": (0.0, 0.0, 0.0)},
        {"exif": False, "color": "BGR", "crop_share": 0.8},
    ],
    ids=str,
)
def test_stages_that_are_wrong_together(made, changes):
    file = sound(made)
    wrong = replace(file.recipe, **changes)
    found = faults(made, replace(file, recipe=wrong))
    stages = {stage for stage, ones in CONTRACTS.items() for one in ones if set(one) & set(changes)}
    assert {fault.stage for fault in found} == stages
    assert [fault.difference_with for fault in found[:-1]] == [fault.difference_without for fault in found[1:]]
    assert found[-1].difference_with < 1e-4


def test_a_contract_and_a_model_that_are_both_wrong(made):
    file = edited(made, "both", blue_first)
    wrong = replace(file, recipe=replace(file.recipe, interpolation="nearest"), labels=Labels(NAMES.names[::-1]))
    assert [fault.stage for fault in faults(made, wrong)] == ["resize kernel", "color order", "label order"]


def test_a_stage_that_the_images_do_not_show_is_not_blamed_for_what_they_show(made):
    """None of these is turned or transparent: then the kernel alone is at fault."""
    plain, file = Pictures(drawn(6)), sound(made)
    wrong = replace(file.recipe, interpolation="nearest", background=(0, 0, 0), exif=False)
    assert [fault.stage for fault in faults(made, replace(file, recipe=wrong), plain)] == ["resize kernel"]
    unseen = faults(made, replace(file, recipe=replace(file.recipe, background=(0, 0, 0))), plain)
    assert [(fault.stage, fault.images) for fault in unseen] == [("decode", 0)]


def test_bars_count_for_letterbox_alone(made):
    _, reference, pictures = made
    boxed = replace(reference, preprocess=replace(reference.preprocess, resize_mode="letterbox"))
    file = sound(made)
    recipe = replace(file.recipe, resize_mode="letterbox", bars=(0, 0, 0))
    (fault,) = find_faults(Trial(replace(file, recipe=recipe), boxed, pictures, threads=1))
    assert (fault.stage, "bars" in fault.found) == ("resize mode", True)


def test_answers_that_are_no_numbers(made):
    file = sound(made)
    (fault,) = faults(made, replace(file, logits=lambda inputs: file.logits(inputs) * np.float32("nan")))
    assert fault.stage == "graph"
    json.dumps(fault.to_json(), allow_nan=False)


def test_without_its_checkpoint_on_the_disk_the_graph_is_named(made, tmp_path):
    gone = replace(made[1], path=tmp_path / "gone.ckpt", run=None)
    file = edited(made, "gone", one_kernel_off)
    (fault,) = find_faults(Trial(file, gone, made[2], threads=1))
    assert (fault.stage, "not at hand" in fault.expected) == ("graph", True)


def wrapped(made, name, edit=lambda model: None, source="sound", **inside):
    """The file that takes pixels and answers with probabilities; `inside` is what its graph normalises with."""
    root, reference, _ = made
    preprocess = replace(reference.preprocess, normalized_in_graph=True)
    model = onnx.load(root / f"{source}.onnx")
    edit(model)
    model = with_probabilities(with_pixels(model, replace(preprocess, **inside)))
    contract = Contract.from_json(json.loads(next(e.value for e in model.metadata_props if e.key == CONTRACT_KEY)))
    words = replace(contract, preprocess=preprocess, output="probabilities").to_json()
    onnx.save(model, root / f"{name}.onnx")
    return open_consumer(root / f"{name}.onnx", 1, words)


class TestPixelsInAndProbabilitiesOut:
    def test_a_sound_file(self, made):
        assert faults(made, wrapped(made, "wrapped")) == ()

    @pytest.mark.parametrize("stage", ["decode", "color order", "resize kernel", "resize mode"])
    def test_a_stage_before_the_network(self, made, stage):
        file = wrapped(made, "wrapped")
        (fault,) = faults(made, replace(file, recipe=replace(file.recipe, **CONTRACTS[stage][0])))
        assert fault.stage == stage

    @pytest.mark.parametrize("edit", [blue_first, one_kernel_off, rounded_too_much])
    def test_a_part_of_the_model(self, made, edit):
        (fault,) = faults(made, wrapped(made, edit.__name__, edit))
        assert GRAPHS[fault.stage] is edit

    def test_normalisation_inside(self, made):
        (fault,) = faults(made, wrapped(made, "halves", mean=(0.5,) * 3, std=(0.5,) * 3))
        assert (fault.stage, "inside the graph" in fault.found) == ("normalisation", True)
        assert fault.difference_with < 1e-3 < fault.difference_without

    def test_weights_and_labels(self, made):
        assert [fault.stage for fault in faults(made, wrapped(made, "wrapped-live", source="live"))] == ["weights"]
        file = wrapped(made, "wrapped")
        (fault,) = faults(made, replace(file, labels=Labels(NAMES.names[::-1])))
        assert fault.stage == "label order"


class TestHalfPrecision:
    """Its rounding is no fault; what else is wrong is named through it."""

    @pytest.fixture
    def half(self, made):
        path = made[0] / "half.onnx"
        onnx.save(halved(onnx.load(made[0] / "sound.onnx"), {})[0], path)
        return open_consumer(path, 1)

    def test_sound(self, made, half):
        assert [fault.stage for fault in faults(made, half)] in ([], ["precision"])

    def test_a_stage_before_the_network(self, made, half):
        (fault,) = faults(made, replace(half, recipe=replace(half.recipe, interpolation="nearest")))
        assert fault.stage == "resize kernel"

    def test_label_order(self, made, half):
        (fault,) = faults(made, replace(half, labels=Labels(NAMES.names[::-1])))
        assert fault.stage == "label order"
