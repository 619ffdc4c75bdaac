"""What a network is made of, against published figures."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from clf_cli.engine.model_info import architecture_info, model_info
from clf_cli.errors import UsageError
from clf_cli.models.build import architecture, build_network
from clf_cli.settings.sections import ModelSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import Report

LABELS = Labels(("", "0", "00"))


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
    result = model_info(Small(), "small", Preprocess(8, 8), Labels(("a", "b")))

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
    result = architecture_info(ModelSection(arch=arch, image_size=224))

    assert result.parameters == pytest.approx(parameters, rel=2e-3)
    assert result.multiply_adds == pytest.approx(multiply_adds, rel=0.04)


def test_fused_attention_costs_what_plain_attention_costs():
    counts = [
        model_info(
            build_network("test_vit", 3, fused_attention=fused), "test_vit", Preprocess(160, 160), LABELS
        ).multiply_adds
        for fused in (True, False)
    ]

    assert counts[0] == counts[1]


class Recurrent(nn.Module):
    """Reads the 8 rows of an image of 3 x 8 x 8 in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.LSTM(24, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.rows(images.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_recurrent_layers_are_counted_too(device):
    network = Recurrent().to(device)
    result = model_info(network, "recurrent", Preprocess(8, 8), Labels(("a", "b")))
    assert result.multiply_adds == 2 * 8 * (4 * 5 * 24 + 4 * 5 * 5) + 10 * 2


def test_the_cost_grows_with_the_image_and_the_parameters_do_not():
    network = build_network("test_resnet", 3)
    small, large = (model_info(network, "test_resnet", Preprocess(side, side), LABELS) for side in (32, 64))

    assert large.parameters == small.parameters
    assert large.multiply_adds == pytest.approx(4 * small.multiply_adds, rel=0.05)


def test_the_network_is_left_as_it_was():
    network = build_network("test_resnet", 3)
    network.conv1.eval()
    network.fc.requires_grad_(False)
    modes = [module.training for module in network.modules()]
    learning = [parameter.requires_grad for parameter in network.parameters()]
    state = {name: value.clone() for name, value in network.state_dict().items()}

    result = model_info(network, "test_resnet", Preprocess(32, 32), LABELS)

    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == learning
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert result.parameters - result.trainable == sum(parameter.numel() for parameter in network.fc.parameters())


def test_the_report_is_plain_and_holds_labels_and_preprocessing():
    result = model_info(build_network("test_resnet", 3), "test_resnet", Preprocess(24, 32, "letterbox"), LABELS)
    report = json.loads(json.dumps(Report(result).to_json(), allow_nan=False))

    assert report["kind"] == "model_info"
    assert (report["result"]["arch"], report["result"]["classes"]) == ("test_resnet", 3)
    assert report["result"]["labels"] == ["", "0", "00"]
    assert report["result"]["input"] == {"channels": 3, "height": 24, "width": 32}
    assert Preprocess.from_json(report["result"]["preprocess"]) == Preprocess(24, 32, "letterbox")
    assert sum(report["result"]["layer_types"].values()) == len(report["result"]["layers"])


# Architectures by name


@pytest.mark.parametrize("arch", ["test_resnet", "test_vit", "test_efficientnet", "cait_xxs24_224"])
def test_an_architecture_without_memory_counts_as_the_real_network(arch):
    """cait hands a parameter that learns to a module: torch's counter alone fails on it."""
    found = architecture_info(ModelSection(arch=arch))
    network = build_network(arch, found.classes)
    real = model_info(network, arch, found.preprocess, Labels.of(map(str, range(found.classes))))
    assert replace(real, labels=None) == found


def test_an_architecture_is_what_training_would_begin_with():
    section = ModelSection(arch="resnet18.fb_swsl_ig1b_ft_in1k", image_size=96, resize_mode="letterbox", crop_share=0.9)
    result = architecture_info(section).to_result()
    cfg = architecture(section.arch)
    assert result["input"] == {"channels": 3, "height": 96, "width": 96}
    assert (result["preprocess"]["resize_mode"], result["preprocess"]["crop_share"]) == ("letterbox", 0.9)
    assert result["preprocess"]["interpolation"] == cfg.interpolation
    assert (result["classes"], result["labels"]) == (cfg.num_classes, None)


def test_a_feature_extractor_has_no_classes():
    result = architecture_info(ModelSection(arch="vit_small_patch14_dinov2", image_size=28))
    assert (result.classes, result.to_result()["labels"]) == (0, None)
    assert result.layers[-1].output == (384,)


@pytest.mark.parametrize("arch", ["test_vit", "test_efficientnet"])
def test_every_parameter_is_in_one_layer(arch):
    """Also those that lie beside a module's modules: class tokens, norms that hold their activation."""
    found = architecture_info(ModelSection(arch=arch))
    assert sum(layer.parameters for layer in found.layers) == found.parameters


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (ModelSection(arch="resnt18"), "no architecture 'resnt18'"),
        (ModelSection(arch="resnet18.no_such_tag"), "no architecture 'resnet18.no_such_tag'"),
        (ModelSection(arch="vit_tiny_patch16_224", image_size=8), "vit_tiny_patch16_224 cannot"),
        (ModelSection(arch="levit_128s", image_size=100), "levit_128s cannot take images of 100 × 100 pixels"),
    ],
)
def test_what_cannot_be_built_is_a_usage_error(section, message):
    with pytest.raises(UsageError, match=message) as caught:
        architecture_info(section)
    assert caught.value.hint
