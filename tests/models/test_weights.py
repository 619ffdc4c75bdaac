"""Local weights files: what fits is loaded, what does not is refused with names and counts."""

import os
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from clf_cli.errors import ModelError
from clf_cli.models.build import build_network, initial_network
from clf_cli.models.weights import read_weights
from clf_cli.settings.sections import ModelSection

SMALL, ATTENTION = "test_resnet", "test_vit"
PUBLISHED = Path(__file__).parents[3] / "shared" / "weights" / "tf_efficientnet_lite0_timm.safetensors"
State = dict[str, Tensor]


def start(path: Path, classes: int = 4, arch: str = SMALL, size: int = 32) -> tuple[nn.Module, str]:
    return initial_network(ModelSection(arch=arch, weights=path), classes, size)


def saved(path: Path, state: object) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


def refusal(path: Path, arch: str = SMALL) -> ModelError:
    with pytest.raises(ModelError) as caught:
        start(path, arch=arch)
    assert caught.value.exit_code == 4
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def same_body(network: nn.Module, state: State) -> bool:
    own = network.state_dict()
    return all(torch.equal(own[name], value) for name, value in state.items() if not name.startswith(("fc.", "head.")))


def prefixed(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.bin", "without-suffix"])
def test_a_file_is_told_by_its_content_and_a_head_of_other_size_stays_random(tmp_path, name):
    state = build_network(SMALL, 9).state_dict()

    network, note = start(saved(tmp_path / name, state))

    assert same_body(network, state)
    assert network.state_dict()["fc.weight"].shape[0] == 4
    assert "the head is new (the file's has 9 classes)" in note


def test_a_head_of_the_same_size_is_taken(tmp_path):
    state = build_network(SMALL, 4).state_dict()

    network, note = start(saved(tmp_path / "w.pth", state))

    assert torch.equal(network.state_dict()["fc.weight"], state["fc.weight"])
    assert "the head" not in note


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"state_dict": {}, "state_dict_ema": state},
        partial(prefixed, "module."),
        lambda state: {"state_dict": prefixed("network.", state)},
        lambda state: prefixed("_orig_mod.model.", state) | {"loss.weight": torch.zeros(3)},
    ],
)
def test_wrappers_of_trainers_are_opened(tmp_path, wrap):
    state = build_network(SMALL, 9).state_dict()

    assert same_body(start(saved(tmp_path / "w.pth", wrap(state)))[0], state)


def test_a_body_without_any_head_is_enough(tmp_path):
    state = {name: value for name, value in build_network(SMALL, 9).state_dict().items() if not name.startswith("fc.")}

    network, note = start(saved(tmp_path / "w.pth", state))

    assert same_body(network, state)
    assert "the head is new" in note


@pytest.mark.parametrize("channels", [1, 4])
def test_the_first_convolution_is_adapted_from_other_channels(tmp_path, channels):
    state = timm.create_model(SMALL, in_chans=channels, num_classes=4).state_dict()

    network, note = start(saved(tmp_path / "w.pth", state))

    first = network.state_dict()["conv1.0.weight"]
    assert f"from {channels} to 3 channels" in note
    assert first.shape[1] == 3
    if channels == 1:  # an RGB image of equal channels gives what its grey image gave
        torch.testing.assert_close(first.sum(dim=1, keepdim=True), state["conv1.0.weight"])


def test_position_tables_are_resized_as_timm_does(tmp_path):
    state = build_network(ATTENTION, 9, image_size=160).state_dict()

    network, _ = start(saved(tmp_path / "w.safetensors", state), arch=ATTENTION, size=64)

    own = network.state_dict()
    assert own["pos_embed"].shape != state["pos_embed"].shape
    assert torch.equal(own["blocks.0.attn.qkv.weight"], state["blocks.0.attn.qkv.weight"])
    assert "state_dict" not in network.pretrained_cfg


@pytest.mark.parametrize(("source", "target"), [("resnet10t", SMALL), (SMALL, "dla46_c"), (ATTENTION, SMALL)])
def test_weights_of_another_architecture_are_refused_with_counts(tmp_path, source, target):
    error = refusal(saved(tmp_path / "w.safetensors", build_network(source, 9).state_dict()), arch=target)

    assert target in error.message
    assert "tensors of its body" in error.message
    assert "Missing: " in error.hint


def test_weights_that_lack_a_layer_are_refused_by_its_name(tmp_path):
    state = build_network(SMALL, 9).state_dict()
    del state["layer2.0.conv1.weight"]

    assert "layer2.0.conv1.weight" in refusal(saved(tmp_path / "w.pth", state)).hint


def test_a_missing_file_is_named(tmp_path):
    assert "There is no weights file" in refusal(tmp_path / "gone.pth").message


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, name, share):
    path = saved(tmp_path / name, build_network(SMALL, 9).state_dict())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])

    assert "bytes" in refusal(path).message


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, [1, 2]])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    assert "no tensors by name" in refusal(saved(tmp_path / "w.pth", content)).message


def test_something_else_is_refused(tmp_path):
    (tmp_path / "w.pth").write_text("not weights")

    assert "is not a weights file" in refusal(tmp_path / "w.pth").message


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch '{self.target}'",)


def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path):
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    torch.save({"conv1.weight": Malicious(trace)}, path)

    assert "refused" in refusal(path).message
    assert not trace.exists()


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published weights are not on this machine")
def test_published_weights_from_disk_start_a_network_of_other_classes():
    network, note = start(PUBLISHED, classes=37, arch="tf_efficientnet_lite0", size=64)

    assert same_body(
        network, {name: value for name, value in read_weights(PUBLISHED).items() if "classifier" not in name}
    )
    assert "1000 classes" in note
