"""Networks by name: sizes, preprocessing, and where their first weights come from."""

import pytest
import safetensors.torch
import torch
from timm.layers.config import use_fused_attn
from torch import nn

from clf_cli.errors import ModelError, UsageError
from clf_cli.models.build import build_network, init_from, initial_network, preprocess_for
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.settings.sections import ModelSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess

SMALL, ATTENTION = "test_resnet", "test_vit"


def checkpoint_of(network: nn.Module, labels: Labels, arch: str = SMALL) -> Checkpoint:
    return Checkpoint(
        arch=arch,
        labels=labels,
        preprocess=Preprocess(32, 32),
        settings={},
        score=None,
        scored_weights="live",
        epoch=3,
        run_id=None,
        data_fingerprint=None,
        path=arch,
        step=0,
        state_dict={name: value.clone() for name, value in network.state_dict().items()},
        live_state=None,
        resumable=False,
    )


@pytest.mark.parametrize(("arch", "size"), [(SMALL, 32), (ATTENTION, 48), (ATTENTION, (32, 64))])
def test_a_network_answers_for_its_size_with_a_logit_per_class(arch, size):
    network = build_network(arch, 5, image_size=size)
    height, width = (size, size) if isinstance(size, int) else size

    assert network.training
    assert network(torch.zeros(2, 3, height, width)).shape == (2, 5)


def test_plain_attention_computes_the_same_and_leaves_timms_switch_alone():
    before = use_fused_attn()
    fused, plain = build_network(ATTENTION, 3).eval(), build_network(ATTENTION, 3, fused_attention=False).eval()
    plain.load_state_dict(fused.state_dict())
    switches = [
        {module.fused_attn for module in net.modules() if "fused_attn" in vars(module)} for net in (fused, plain)
    ]
    images = torch.randn(2, 3, 160, 160)

    assert switches == [{True}, {False}]
    assert use_fused_attn() == before
    with torch.inference_mode():
        torch.testing.assert_close(fused(images), plain(images), atol=1e-5, rtol=1e-5)


def test_dropout_sits_before_the_classifier():
    network = build_network(SMALL, 3, drop_rate=0.5)
    body = network.forward_features(torch.randn(2, 3, 32, 32))

    assert not torch.equal(network.forward_head(body), network.forward_head(body))


@pytest.mark.parametrize(
    ("arch", "mean", "size", "interpolation"),
    [
        ("resnet18", 0.485, 224, "bicubic"),
        ("resnet18.tv_in1k", 0.485, 224, "bilinear"),
        ("vit_tiny_patch16_224", 0.5, 224, "bicubic"),
        ("inception_v3", 0.5, 299, "bicubic"),
    ],
)
def test_preprocessing_is_the_architectures_own(arch, mean, size, interpolation):
    preprocess = preprocess_for(ModelSection(arch=arch))

    assert (preprocess.height, preprocess.width, preprocess.interpolation) == (size, size, interpolation)
    assert preprocess.mean[0] == mean
    assert (preprocess.resize_mode, preprocess.crop_share) == ("squash", 1.0)


def test_the_sections_own_preprocessing_wins():
    section = ModelSection(arch="resnet18", image_size=96, resize_mode="crop", crop_share=0.9, interpolation="lanczos")
    preprocess = preprocess_for(section)

    assert (preprocess.height, preprocess.width) == (96, 96)
    assert (preprocess.resize_mode, preprocess.crop_share, preprocess.interpolation) == ("crop", 0.9, "lanczos")


@pytest.mark.parametrize("arch", ["resnet18.nope", "resnet_eighteen"])
def test_an_unknown_architecture_or_tag_is_a_usage_error(arch):
    with pytest.raises(UsageError, match=arch) as caught:
        preprocess_for(ModelSection(arch=arch))
    assert caught.value.exit_code == 2


def test_an_unknown_tag_is_answered_with_the_published_ones():
    with pytest.raises(UsageError) as caught:
        preprocess_for(ModelSection(arch="resnet18.nope"))
    assert "resnet18.a1_in1k" in caught.value.hint


def test_an_image_too_small_for_the_architecture_is_a_usage_error():
    with pytest.raises(UsageError, match="16 × 16") as caught:
        initial_network(ModelSection(arch="inception_v3", pretrained=False), 3, 16)
    assert "--image-size 299" in caught.value.hint


def test_random_weights_are_a_function_of_torchs_seed():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        network, note = initial_network(ModelSection(arch=SMALL, pretrained=False), 3, 32)
        states.append(network.state_dict()["fc.weight"])

    assert network.training
    assert "Random" in note
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_given_weights_win_over_published_ones(tmp_path):
    source = build_network(SMALL, 7)
    safetensors.torch.save_file(source.state_dict(), tmp_path / "w.safetensors")

    network, note = initial_network(ModelSection(arch=SMALL, weights=tmp_path / "w.safetensors"), 7, 32)

    assert str(tmp_path / "w.safetensors") in note
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in network.state_dict().items())


def test_init_from_takes_the_heads_rows_by_class_name():
    source = build_network(SMALL, 3)
    here = Labels(("b", "c", "d", "a"))
    network = build_network(SMALL, 4)
    fresh = network.state_dict()["fc.weight"].clone()

    note = init_from(network, checkpoint_of(source, Labels(("a", "b", "x"))), here)

    taken, old = network.state_dict(), source.state_dict()
    assert torch.equal(taken["fc.weight"][[3, 0]], old["fc.weight"][[0, 1]])
    assert torch.equal(taken["fc.bias"][[3, 0]], old["fc.bias"][[0, 1]])
    assert torch.equal(taken["fc.weight"][[1, 2]], fresh[[1, 2]])
    assert torch.equal(taken["conv1.0.weight"], old["conv1.0.weight"])
    assert "2 of the 4 classes" in note


def test_init_from_takes_everything_when_the_classes_are_the_same():
    source, network, labels = build_network(SMALL, 2), build_network(SMALL, 2), Labels(("a", "b"))

    init_from(network, checkpoint_of(source, labels), labels)

    assert all(torch.equal(value, source.state_dict()[name]) for name, value in network.state_dict().items())


def test_init_from_another_architecture_is_refused_with_what_to_type():
    labels = Labels(("a", "b"))
    with pytest.raises(ModelError, match="tensors are missing or of another shape") as caught:
        init_from(build_network("resnet10t", 2), checkpoint_of(build_network(SMALL, 2), labels), labels)
    assert f"--arch {SMALL} --image-size 32" in caught.value.hint
