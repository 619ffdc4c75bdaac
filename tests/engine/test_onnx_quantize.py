"""The child that makes narrower files: what it writes, tells and leaves behind, and how it fails."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from clf_cli.engine import onnx_quantize
from clf_cli.engine.onnx_child import Limits
from clf_cli.engine.onnx_precision import precision_of
from clf_cli.engine.onnx_quantize import RUNGS, candidates, main
from clf_cli.errors import ExportError
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, write_onnx_file

IMAGES = np.random.default_rng(0).standard_normal((12, 3, 8, 12), dtype=np.float32)
LIMITS = Limits(120, 16384)


@pytest.fixture
def model(tmp_path):
    return write_onnx_file(tmp_path / "model.onnx", contract=replace(CONTRACT, preprocess=Preprocess(8, 12)))


def here(model, precision, images=IMAGES):
    """What the child does, in this process."""
    np.save(model.with_suffix(".npy"), images)
    request = {
        "model": str(model),
        "precision": precision,
        "images": str(model.with_suffix(".npy")),
        "told": str(model.with_suffix(".json")),
    }
    model.with_suffix(".request").write_text(json.dumps(request))
    main([str(model.with_suffix(".request"))])
    return json.loads(model.with_suffix(".json").read_text())


def test_int8(model):
    found = candidates(model, "int8", IMAGES, LIMITS)
    assert [one.name for one in found] == [rung.name for rung in RUNGS]
    for one in found:
        file = model.with_name(one.file)
        onnx.checker.check_model(str(file), full_check=True)
        assert onnx.load(file).metadata_props == onnx.load(model).metadata_props
        assert one.quantizer["precision"] == "int8"
        assert one.name in one.quantizer["calibration"]
        assert "12 train images" in one.quantizer["calibration"]
        assert one.strict is None
    assert precision_of(onnx.load(model.with_name(found[0].file))) == "int8"
    assert not list(model.parent.glob("*.npy")), "the images stay behind"


def test_fp16(model):
    (found,) = here(model, "fp16")
    assert precision_of(onnx.load(model.with_name(found["file"]))) == "fp16"
    assert precision_of(onnx.load(model.with_name(found["strict"]))) == "fp16"
    assert found["quantizer"]["tool"].startswith("onnxruntime.transformers.float16 ")
    assert found["quantizer"]["float32_nodes"] == []


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_the_same_bytes_twice(model, precision):
    files = [[model.with_name(one["file"]).read_bytes() for one in here(model, precision)] for _ in range(2)]
    assert files[0] == files[1]


def test_what_the_exporter_said_of_inner_tensors_may_be_wrong(model):
    """ONNX Runtime refuses such a file to the tool that measures: torch's exporter leaves such notes."""
    stale = onnx.load(model)
    stale.graph.value_info.append(onnx.helper.make_tensor_value_info("means", onnx.TensorProto.FLOAT, [7, 7, 7]))
    onnx.save(stale, model)
    assert len(here(model, "int8")) == len(RUNGS)


def test_a_network_without_products(model):
    bare = onnx.load(model)
    bare.graph.node[1].CopyFrom(onnx.helper.make_node("Identity", ["means"], ["logits"]))
    onnx.save(bare, model)
    with pytest.raises(ExportError, match="no convolution and no product"):
        candidates(model, "int8", IMAGES, LIMITS)


def test_limits_are_kept(model):
    with pytest.raises(ExportError, match=r"did not finish within 0\.01 s"):
        candidates(model, "int8", IMAGES, Limits(0.01, 16384))


def test_a_child_that_crashes(model):
    crash = (*onnx_quantize.CHILD[:1], "-c", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(ExportError, match="crashed"):
        candidates(model, "int8", IMAGES, LIMITS, child=crash)
