"""What a network is made of, against published figures."""

import json

import pytest
import torch
from torch import nn

from clf_cli.engine.model_info import model_info
from clf_cli.models.build import build_network
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Report

LABELS = Labels(("", "0", "00"))
THOUSAND = Labels.of(str(index) for index in range(1000))


class Small(nn.Module):
    """(3, 8, 8) -> 4 channels of 6 x 6 -> 2 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.skip = nn.Identity()
        self.head = nn.Linear(4 * 6 * 6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.skip(self.norm(self.conv(images))).flatten(1))


def test_a_network_counted_by_hand():
    result = model_info(Small(), Preprocess(8, 8), Labels(("a", "b")))

    parameters = 4 * 3 * 9 + 2 * 4 + 144 * 2 + 2
    assert result.parameters == result.trainable == parameters
    assert result.megabytes == pytest.approx((parameters * 4 + 2 * 4 * 4 + 8) / 1e6)
    assert result.multiply_adds == 6 * 6 * 4 * 3 * 9 + 144 * 2
    assert [(layer.name, layer.type, layer.output, layer.parameters) for layer in result.layers] == [
        ("conv", "Conv2d", (4, 6, 6), 108),
        ("norm", "BatchNorm2d", (4, 6, 6), 8),
        ("head", "Linear", (2,), 290),
    ]


@pytest.mark.parametrize(
    ("arch", "parameters", "multiply_adds"),
    [
        ("resnet18", 11.69e6, 1.82e9),
        ("tf_efficientnet_lite0", 4.65e6, 0.40e9),
        ("vit_tiny_patch16_224", 5.72e6, 1.26e9),
    ],
)
def test_published_figures(arch, parameters, multiply_adds):
    result = model_info(build_network(arch, 1000), Preprocess(224, 224), THOUSAND)

    assert result.parameters == pytest.approx(parameters, rel=2e-3)
    assert result.multiply_adds == pytest.approx(multiply_adds, rel=0.04)


def test_fused_attention_costs_what_plain_attention_costs():
    counts = [
        model_info(build_network("test_vit", 3, fused_attention=fused), Preprocess(160, 160), LABELS).multiply_adds
        for fused in (True, False)
    ]

    assert counts[0] == counts[1]


def test_the_cost_grows_with_the_image_and_the_parameters_do_not():
    network = build_network("test_resnet", 3)
    small, large = (model_info(network, Preprocess(side, side), LABELS) for side in (32, 64))

    assert large.parameters == small.parameters
    assert large.multiply_adds == pytest.approx(4 * small.multiply_adds, rel=0.05)


def test_the_network_is_left_as_it_was():
    network = build_network("test_resnet", 3)
    network.conv1.eval()
    network.fc.requires_grad_(False)
    modes = [module.training for module in network.modules()]
    state = {name: value.clone() for name, value in network.state_dict().items()}

    result = model_info(network, Preprocess(32, 32), LABELS)

    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert result.parameters - result.trainable == sum(parameter.numel() for parameter in network.fc.parameters())


def test_the_report_is_plain_and_holds_labels_and_preprocessing():
    result = model_info(build_network("test_resnet", 3), Preprocess(24, 32, "letterbox"), LABELS)
    report = json.loads(json.dumps(Report(result).to_json(), allow_nan=False))

    assert report["kind"] == "model_info"
    assert report["result"]["labels"] == ["", "0", "00"]
    assert report["result"]["input"] == {"channels": 3, "height": 24, "width": 32}
    assert Preprocess.from_json(report["result"]["preprocess"]) == Preprocess(24, 32, "letterbox")
    assert sum(report["result"]["layer_types"].values()) == len(report["result"]["layers"])
