"""Each exporter on networks that convert and on such that do not; nothing of a tool or of this machine is left."""

import logging
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from clf_cli import __version__
from clf_cli.engine import onnx_convert
from clf_cli.engine.onnx_convert import strip_foreign_metadata, write_onnx
from clf_cli.engine.onnx_ladder import RUNGS
from clf_cli.engine.onnx_metadata import EXPORT_KEY, Made, made_of, metadata
from clf_cli.errors import ExportError
from clf_cli.models.build import build_network
from clf_cli.models.onnx import onnx_logits
from clf_cli.values.contract import CONTRACT_KEY
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT, write_onnx_file

MADE = Made("torch.export", 18)
TRACED = Made("torchscript", 18)
LAST = Made(RUNGS[-1], 18)
IMAGES = np.random.default_rng(0).standard_normal((5, 3, 8, 12), dtype=np.float32)


class Pooled(nn.Module):
    """Channel means through a linear layer; `branching` looks at the values, which only the tracer overlooks."""

    def __init__(self, classes=5, branching=False):
        super().__init__()
        self.head = nn.Linear(3, classes)
        self.drop = nn.Dropout(0.5)
        self.branching = branching

    def forward(self, images):
        if self.branching and images.isnan().any():
            return self.head(images.amax(dim=(2, 3)))
        return self.head(self.drop(images.mean(dim=(2, 3))))


@pytest.mark.parametrize("exporter", RUNGS)
def test_eval_mode_names_axes_opset_and_no_noise(exporter, tmp_path, capfd):
    network = Pooled().train()
    facts = write_onnx(network, CONTRACT, Made(exporter, 19), tmp_path / "model.onnx")
    assert (facts.opset, facts.input_shape, facts.output_shape) == (19, ("batch_size", 3, 8, 12), ("batch_size", 5))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    model = onnx.load(tmp_path / "model.onnx")
    assert "Dropout" not in {node.op_type for node in model.graph.node}
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("input", "logits")
    assert {entry.key: entry.value for entry in model.metadata_props} == metadata(CONTRACT, Made(exporter, 19))
    assert made_of(model) == Made(exporter, 19)
    assert (model.producer_name, model.producer_version) == ("clf", __version__)
    with torch.no_grad():
        np.testing.assert_allclose(
            onnx_logits(tmp_path / "model.onnx")[0](IMAGES), network(torch.from_numpy(IMAGES)), atol=1e-5
        )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("exporter", RUNGS)
def test_nothing_of_this_machine_and_the_same_bytes_again(exporter, tmp_path):
    contract = replace(CONTRACT, preprocess=Preprocess(32, 32))
    network = build_network("test_vit", 5, fused_attention=False, image_size=(32, 32))
    for name in ("a.onnx", "b.onnx"):
        write_onnx(network, contract, Made(exporter, 20), tmp_path / name)
    content = (tmp_path / "a.onnx").read_bytes()
    assert content == (tmp_path / "b.onnx").read_bytes()
    for trace in (b".py", b"site-packages", b"stack_trace", b"timm.models", os.fsencode(Path.cwd()), b"aten::"):
        assert trace not in content, trace


@pytest.mark.parametrize("exporter", RUNGS[:-1])
def test_a_network_that_decides_on_its_values(exporter, tmp_path, capfd):
    network = Pooled(branching=True)
    with pytest.raises(
        ExportError, match=r"^(it failed: .*data-dependent|the network decides on its values)"
    ) as caught:
        write_onnx(network, CONTRACT, Made(exporter, 18), tmp_path / "model.onnx")
    assert "\n" not in caught.value.message
    assert list(tmp_path.iterdir()) == []
    assert write_onnx(network, CONTRACT, LAST, tmp_path / "model.onnx").opset == 18
    assert capfd.readouterr() == ("", ""), "the tracer warns that it overlooks the branch: the check finds out"


def test_an_opset_that_the_exporter_does_not_reach(tmp_path, capfd):
    """It says nothing and writes 18; its way down fails with a message in native code."""
    with pytest.raises(ExportError, match=r"^it wrote opset 18, asked was 17$"):
        write_onnx(Pooled(), CONTRACT, Made("torch.export", 17), tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"^it failed: .*opset"):
        write_onnx(Pooled(), CONTRACT, Made("torchscript", 25), tmp_path / "other.onnx")
    assert capfd.readouterr() == ("", ""), "the tracer prints its graph, from native code"


@pytest.mark.parametrize("made", [MADE, TRACED, LAST])
def test_a_graph_that_breaks_the_contract(made, tmp_path):
    with pytest.raises(ExportError, match=r"^its file is no good: the output is batch_size x 4, the contract says"):
        write_onnx(Pooled(classes=4), CONTRACT, made, tmp_path / "model.onnx")


def test_a_batch_axis_that_the_network_fixes(tmp_path):
    class Fixed(Pooled):
        def forward(self, images):
            return self.head(images.mean(dim=(2, 3)).reshape(2, 3))

    with pytest.raises(ExportError, match=r"^it failed: "):
        write_onnx(Fixed(), CONTRACT, MADE, tmp_path / "model.onnx")


@pytest.mark.parametrize("made", [MADE, TRACED, LAST])
def test_the_process_is_as_before(made, tmp_path):
    """Warnings, loggers, streams, random state and gradients; pytest makes warnings errors, so a leak fails too."""
    network = Pooled()
    write_onnx(network, CONTRACT, made, tmp_path / "first.onnx")  # what it imports may register itself once

    def state():
        loggers = {name: logger for name, logger in logging.root.manager.loggerDict.items() if hasattr(logger, "level")}
        levels = {name: (logger.level, tuple(logger.handlers)) for name, logger in loggers.items()}
        streams = (sys.stdout, sys.stderr, os.fstat(1), os.fstat(2))
        switches = (logging.root.manager.disable, torch.is_grad_enabled(), torch.is_inference_mode_enabled())
        return levels, streams, switches, tuple(warnings.filters), torch.random.get_rng_state().tolist()

    weights = {name: value.clone() for name, value in network.state_dict().items()}
    before = state()
    write_onnx(network, CONTRACT, made, tmp_path / "model.onnx")
    assert state() == before
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(value.requires_grad for value in network.parameters())


def test_a_traced_network_beyond_the_limit_of_one_file(tmp_path, monkeypatch):
    """The limit lowered: weights move to a second file, and an old one of that name is gone."""
    monkeypatch.setattr(onnx_convert, "LARGE", 10)
    monkeypatch.setattr(onnx_convert, "SMALL", 20)
    network = Pooled()
    for _ in range(2):
        assert write_onnx(network, CONTRACT, TRACED, tmp_path / "model.onnx").external_data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert (tmp_path / "model.onnx.data").stat().st_size < 10_000
    with torch.no_grad():
        np.testing.assert_allclose(
            onnx_logits(tmp_path / "model.onnx")[0](IMAGES), network(torch.from_numpy(IMAGES)), atol=1e-5
        )


class TestStrip:
    def test_metadata(self, tmp_path):
        source = write_onnx_file(tmp_path / "model.onnx", metadata={"onnxsim.nodes": "9", CONTRACT_KEY: "old"})
        strip_foreign_metadata(source, tmp_path / "clean.onnx", metadata(CONTRACT, MADE))
        props = {entry.key: entry.value for entry in onnx.load(tmp_path / "clean.onnx").metadata_props}
        assert props == metadata(CONTRACT, MADE)
        assert sorted(props) == [CONTRACT_KEY, EXPORT_KEY, "imgsz", "names", "task"]

    def test_notes_in_every_corner(self, tmp_path):
        """On the model, graphs inside nodes, values, and functions."""
        note = "from a machine"

        def named(name):
            value = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1], doc_string=note)
            value.metadata_props.add(key="note", value=note)
            return value

        def identity(given, name):
            node = helper.make_node("Identity", [given], [name], doc_string=note)
            node.metadata_props.add(key="note", value=note)
            return node

        def branch(name):
            return helper.make_graph([identity("x", name)], name, [], [named(name)], doc_string=note)

        choice = helper.make_node("If", ["yes"], ["y"], then_branch=branch("one"), else_branch=branch("other"))
        yes = helper.make_tensor_value_info("yes", TensorProto.BOOL, [])
        graph = helper.make_graph([choice], "g", [yes, named("x")], [named("y")], doc_string=note)
        graph.metadata_props.add(key="note", value=note)
        opset = [helper.make_opsetid("", 18)]
        function = helper.make_function("ours", "f", ["x"], ["y"], [identity("x", "y")], opset)
        function.doc_string = note
        model = helper.make_model(graph, opset_imports=opset, functions=[function], doc_string=note)
        onnx.save(model, tmp_path / "model.onnx")
        strip_foreign_metadata(tmp_path / "model.onnx", tmp_path / "clean.onnx", {})
        assert note.encode() in (tmp_path / "model.onnx").read_bytes()
        assert note.encode() not in (tmp_path / "clean.onnx").read_bytes()
