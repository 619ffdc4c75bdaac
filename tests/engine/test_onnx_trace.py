"""What a trace knows of sizes: those of the batch vary, all others are numbers, and what it would overlook is told."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_metadata import Made
from clf_cli.engine.onnx_trace import HALVINGS, odd_batch
from clf_cli.errors import ExportError
from clf_cli.models.build import build_network
from clf_cli.models.onnx import onnx_logits
from clf_cli.values.preprocess import Preprocess
from tests.onnx_models import CONTRACT


class Network(nn.Module):
    """`forward` is the test's."""

    def __init__(self, forward):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, (5, 11))  # sizes that a batch of five or eleven has too
        self.work = forward

    def forward(self, images, unused=False):
        return self.work(self, images)


def written(network, path, exporter="torchscript", contract=CONTRACT):
    facts = write_onnx(network, contract, Made(exporter, 18), path)
    return facts, onnx.load(path)


def answers_like(network, path, contract=CONTRACT):
    """At sizes of a batch that the trace has not seen."""
    for count in (1, 2, 7, 11, 22):
        shape = (count, *contract.preprocess.input_shape)
        images = np.random.default_rng(count).standard_normal(shape, dtype=np.float32)
        with torch.no_grad():
            wanted = network(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(onnx_logits(path)[0](images), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arch", "side"),
    [("test_vit", 32), ("test_vit", 176), ("test_convnext", 32), ("tf_efficientnet_lite0", 44)],
)
def test_as_few_sizes_as_torch_export_leaves(arch, side, tmp_path):
    """A transformer, padding as TensorFlow has it, of sides that eleven divides and does not."""
    contract = CONTRACT.__class__(**{**vars(CONTRACT), "preprocess": Preprocess(side, side)})
    torch.manual_seed(0)
    network = build_network(arch, 5, fused_attention=False, image_size=(side, side)).eval()
    _, ours = written(network, tmp_path / "ours.onnx", contract=contract)
    _, theirs = written(network, tmp_path / "theirs.onnx", "torch.export", contract)
    assert len(ours.graph.node) <= (1.25 if arch == "test_vit" else 1.06) * len(theirs.graph.node)
    asked = {node.op_type for node in ours.graph.node} & {"Shape", "Size", "ConstantOfShape", "Range"}
    assert asked == ({"Shape"} if arch == "test_vit" else set())  # of the batch, in each attention
    answers_like(network, tmp_path / "ours.onnx", contract)


def test_sizes_in_any_place_that_come_from_the_batch(tmp_path):
    def forward(self, images):
        found = self.conv(images.repeat(1, 1, 1, 2))  # (batch, 5, 4, 14)
        batch, channels = found.shape[:2]
        turned = found.flatten(2).permute(1, 0, 2)  # (5, batch, 56)
        mixed = turned.reshape(channels * turned.shape[1], -1).mean(dim=1)
        return mixed.view(channels, -1).transpose(0, 1).reshape(batch, channels) * self.conv.weight.shape[3]

    network = Network(forward).eval()
    facts, _ = written(network, tmp_path / "model.onnx")
    assert facts.input_shape[0] == facts.output_shape[0] == "batch_size"
    answers_like(network, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "decides",
    [lambda images: images.mean() > 0, lambda images: images.shape[0] > 4, lambda images: bool(images[0, 0, 0, 0])],
    ids=["values", "batch", "a value"],
)
def test_a_decision_that_a_trace_overlooks(decides, tmp_path):
    def forward(self, images):
        return self.conv(images.repeat(1, 1, 1, 2)).mean(dim=(2, 3)) * (2 if decides(images) else 1)

    with pytest.raises(ExportError, match=r"^the network decides on its values, which a trace overlooks$"):
        written(Network(forward), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_decision_on_a_size_of_the_image_is_none(tmp_path):
    def forward(self, images):
        return self.conv(images.repeat(1, 1, 1, 2)).mean(dim=(2, 3)) * (2 if images.shape[2] % 2 else 1)

    network = Network(forward).eval()
    written(network, tmp_path / "model.onnx")
    answers_like(network, tmp_path / "model.onnx")


def test_the_network_is_as_it_was(tmp_path):
    network = Network(lambda self, images: self.conv(images.repeat(1, 1, 1, 2)).mean(dim=(2, 3)))
    before = dict(vars(network))
    written(network, tmp_path / "model.onnx")
    assert vars(network).keys() == before.keys()
    assert network.forward.__func__ is Network.forward


@pytest.mark.parametrize("side", [8, 32, 96, 121, 160, 176, 208, 224, 299, 320, 384, 896])
def test_the_batch_is_no_size_of_the_image_or_the_weights(side):
    batch = odd_batch(nn.Linear(55, 91), side, 2 * side)
    sizes = {-(-one // 2**halving) for one in (side, 2 * side) for halving in range(HALVINGS)}
    assert all(size % batch for size in (*sizes, 55, 91))
    assert batch >= (11 if side * side * 2 <= 320 * 320 else 5)


def test_an_operator_that_onnx_lacks_is_one_short_reason(tmp_path):
    def forward(self, images):
        return nn.functional.adaptive_avg_pool2d(images.repeat(1, 1, 1, 2), (3, 5)).flatten(1)[:, :5]

    with pytest.raises(ExportError, match=r"^it failed: .*adaptive_avg_pool2d") as caught:
        written(Network(forward), tmp_path / "model.onnx")
    assert len(caught.value.message) < 200
    assert "/" not in caught.value.message
