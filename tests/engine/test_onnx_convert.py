"""Conversions that must fail, and metadata of other tools."""

import onnx
import pytest
import torch
from torch import nn

from clf_cli.engine.onnx_convert import strip_foreign_metadata, write_onnx
from clf_cli.errors import ExportError
from tests.onnx_models import CONTRACT, write_onnx_file


class Pooled(nn.Module):
    """Channel means through a linear layer; `broken` looks at the values, which no graph can hold."""

    def __init__(self, classes=5, broken=False):
        super().__init__()
        self.head = nn.Linear(3, classes)
        self.drop = nn.Dropout(0.5)
        self.broken = broken

    def forward(self, images):
        if self.broken and images.sum() > 0:
            return self.head(images.amax(dim=(2, 3)))
        return self.head(self.drop(images.mean(dim=(2, 3))))


def test_eval_mode_one_opset_and_no_noise(tmp_path, capfd):
    network = Pooled().train()
    facts = write_onnx(network, CONTRACT, 18, tmp_path / "model.onnx")
    assert (facts.opset, facts.output_shape) == (18, ("batch_size", 5))
    assert not network.training
    assert "Dropout" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert capfd.readouterr() == ("", "")


def test_a_network_that_cannot_be_converted(tmp_path, capfd):
    with pytest.raises(ExportError, match="by-hand cannot be exported at opset 18") as caught:
        write_onnx(Pooled(broken=True), CONTRACT, 18, tmp_path / "model.onnx")
    assert caught.value.exit_code == 5
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_breaks_the_contract(tmp_path):
    with pytest.raises(ExportError, match="failed its check: the output is batch_size x 4, the contract says"):
        write_onnx(Pooled(classes=4), CONTRACT, 18, tmp_path / "model.onnx")


def test_a_batch_axis_that_the_network_fixes(tmp_path):
    class Fixed(Pooled):
        def forward(self, images):
            return self.head(images.mean(dim=(2, 3)).reshape(2, 3))

    with pytest.raises(ExportError, match="by-hand"):
        write_onnx(Fixed(), CONTRACT, 18, tmp_path / "model.onnx")


def test_warnings_of_the_exporter_stay_inside(tmp_path):
    """pytest makes warnings errors, so a leak fails; torch.manual_seed shows that nothing random is left either."""
    torch.manual_seed(0)
    write_onnx(Pooled(), CONTRACT, 20, tmp_path / "a.onnx")
    torch.manual_seed(0)
    write_onnx(Pooled(), CONTRACT, 20, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_strip(tmp_path):
    source = write_onnx_file(tmp_path / "model.onnx", metadata={"onnxsim.nodes": "9", "clf.contract": "old"})
    strip_foreign_metadata(source, tmp_path / "clean.onnx", CONTRACT.metadata())
    props = {entry.key: entry.value for entry in onnx.load(tmp_path / "clean.onnx").metadata_props}
    assert props == CONTRACT.metadata()
