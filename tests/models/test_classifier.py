"""One value for every way in which a model is stored."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from clf_cli.errors import ModelError
from clf_cli.models.build import build_network
from clf_cli.models.checkpoint import CheckpointFacts, clf_payload, read_checkpoint
from clf_cli.models.classifier import open_classifier
from clf_cli.models.compute import Compute
from clf_cli.models.exact import network_logits
from clf_cli.models.network import load_network
from clf_cli.values.contract import Contract, Score
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.run_dir import RunDir
from tests.running import mark

ARCH, LABELS, INPUT = "test_resnet", Labels(("", "0", "00")), Preprocess(32, 32)
SCORE = Score("val/acc_top1", "val", 0.5, "ema")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(5, 3, 32, 32)).astype(np.float32)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(ARCH, len(LABELS), image_size=32)


def prefixed(seed: int) -> dict[str, torch.Tensor]:
    return {f"network.{name}": value for name, value in network(seed).state_dict().items()}


def save(path: Path, average: int, live: int | None = None, arch: str = ARCH, **settings: object) -> Path:
    """A checkpoint whose weights are a function of the seeds `average` and `live`."""
    facts = CheckpointFacts(
        arch=arch,
        labels=LABELS,
        preprocess=INPUT,
        settings={"compute": settings},
        score=SCORE if live is not None else None,
        scored_weights="live" if live is None else "ema",
        epoch=3,
        run_id="r1",
        data_fingerprint="sha256:2",
    )
    content = {"state_dict": prefixed(average), "global_step": 5, "clf": clf_payload(facts)}
    if live is not None:
        content["current_model_state"] = prefixed(live)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


@pytest.fixture
def run(tmp_path):
    """A run whose best and last checkpoint differ."""
    run = RunDir(tmp_path / "runs" / "jersey")
    save(run.best, average=1, live=2)
    save(run.last, average=3, live=4)
    mark(run)
    return run


def logits_of(seed: int, images, channels_last: bool = True):
    return network_logits(network(seed), channels_last=channels_last)(images)


def test_a_run_is_its_best_checkpoint(run, images):
    from_run, from_file = open_classifier(run.root), open_classifier(run.best)

    np.testing.assert_array_equal(from_run.logits(images), from_file.logits(images))
    np.testing.assert_array_equal(from_run.logits(images), logits_of(1, images))
    assert from_run.ref == from_file.ref
    assert from_run.ref.path == "checkpoints/best.ckpt"


def test_everything_that_the_weights_need_comes_along(run):
    opened = open_classifier(run.root)

    assert (opened.labels, opened.preprocess, opened.arch) == (LABELS, INPUT, ARCH)
    assert (opened.weights, opened.score, opened.run_id) == ("ema", SCORE, "r1")
    assert (opened.data_fingerprint, opened.run, opened.path) == ("sha256:2", run, run.best)


def test_a_run_that_never_validated_is_its_last_checkpoint(run, images):
    run.best.unlink()

    np.testing.assert_array_equal(open_classifier(run.root).logits(images), logits_of(3, images))


@pytest.mark.parametrize(("ema", "seed", "weights", "score"), [(True, 1, "ema", SCORE), (False, 2, "live", None)])
def test_either_weights_can_be_asked_for_and_the_score_is_only_of_those_that_scored(
    run, images, ema, seed, weights, score
):
    opened = open_classifier(run.root, ema)

    np.testing.assert_array_equal(opened.logits(images), logits_of(seed, images))
    assert (opened.weights, opened.score) == (weights, score)


def test_a_file_outside_a_run_is_named_by_itself(tmp_path, images):
    opened = open_classifier(save(tmp_path / "ckpt.pt", average=5))

    assert (opened.run, opened.ref.path, opened.weights) == (None, "ckpt.pt", "live")
    np.testing.assert_array_equal(opened.logits(images), logits_of(5, images))


def test_numbers_are_computed_in_the_layout_that_was_trained(tmp_path, images):
    opened = open_classifier(save(tmp_path / "a.ckpt", average=5, channels_last=False))

    np.testing.assert_array_equal(opened.logits(images), logits_of(5, images, channels_last=False))


def test_the_average_of_a_run_without_one_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no moving average"):
        open_classifier(save(tmp_path / "a.ckpt", average=5), ema=True)


def test_networks_without_fused_attention_hold_the_same_weights(run):
    loaded, weights = load_network(read_checkpoint(run.best), fused_attention=False)

    assert weights == "ema"
    assert not loaded.training
    assert all(torch.equal(value, network(1).state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize("arch", ["resnet10t", "architecture_of_a_later_timm"])
def test_a_checkpoint_that_this_timm_cannot_build_is_named(tmp_path, arch):
    with pytest.raises(ModelError, match=arch) as caught:
        open_classifier(save(tmp_path / "a.ckpt", average=1, arch=arch))
    assert caught.value.exit_code == 4
    assert "timm" in caught.value.hint


def test_a_path_that_is_nothing_is_answered_with_the_five_newest_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for age in range(7):
        marker = Path("runs", f"run{age}", "run.json")
        marker.parent.mkdir(parents=True)
        marker.touch()
        os.utime(marker, (1000 - age, 1000 - age))

    with pytest.raises(ModelError, match="There is no nope") as caught:
        open_classifier(Path("nope"))

    assert caught.value.exit_code == 4
    assert "runs/run0, runs/run1, runs/run2, runs/run3, runs/run4." in caught.value.hint
    assert "run folder, a checkpoint or an .onnx file" in caught.value.hint


def test_a_folder_that_is_no_run_says_what_was_expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="is not a run") as caught:
        open_classifier(tmp_path)
    assert "best.ckpt" in caught.value.hint


def test_a_run_without_checkpoints_says_so(run):
    for path in (run.best, run.last):
        path.unlink()
    with pytest.raises(ModelError, match="no checkpoint yet"):
        open_classifier(run.root)


def save_onnx(path: Path) -> Path:
    """Mean of each channel as the three logits, with clf's contract."""
    nodes = [
        onnx.helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        onnx.helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "means",
        [onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch_size", 3, 32, 32])],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch_size", 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    contract = Contract(LABELS, INPUT, ARCH, "ema", SCORE, "r1", "sha256:2", "0.1.0")
    onnx.helper.set_model_props(model, contract.metadata())
    onnx.save(model, path)
    return path


def test_an_onnx_file_is_a_classifier_too(tmp_path, images):
    opened = open_classifier(save_onnx(tmp_path / "model.onnx"), compute=Compute("cpu", 1, 0, "fp32", 0, True, False))

    np.testing.assert_allclose(opened.logits(images), images.mean(axis=(2, 3)), atol=1e-6)
    assert (opened.labels, opened.preprocess, opened.ref.path) == (LABELS, INPUT, "model.onnx")
    assert (opened.weights, opened.score, opened.run) == ("ema", SCORE, None)


def test_an_onnx_file_has_one_set_of_weights(tmp_path):
    with pytest.raises(ModelError, match="one set of weights"):
        open_classifier(save_onnx(tmp_path / "model.onnx"), ema=False)


def test_opening_an_onnx_file_does_not_import_torch(tmp_path):
    save_onnx(tmp_path / "model.onnx")
    code = (
        "import sys; from pathlib import Path; from clf_cli.models.classifier import open_classifier;"
        "import clf_cli.engine.predict_split;"
        "open_classifier(Path('model.onnx')); print('torch' in sys.modules, 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]
