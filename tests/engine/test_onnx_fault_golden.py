"""Without a checkpoint the golden samples tell which stage of an edited contract is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from clf_cli.engine.onnx_consumer import open_consumer
from clf_cli.engine.onnx_convert import write_onnx
from clf_cli.engine.onnx_export import contract_of
from clf_cli.engine.onnx_fault_golden import golden_faults
from clf_cli.engine.onnx_fault_images import drawn
from clf_cli.engine.onnx_golden import GoldenImage, golden_of
from clf_cli.engine.onnx_metadata import Made
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.network import load_network, network_classifier
from clf_cli.values.labels import Labels
from tests.onnx_models import LABELS, write_checkpoint


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("golden-faults")
    checkpoint = read_checkpoint(write_checkpoint(root / "best.ckpt"))
    network, weights = load_network(checkpoint, None, fused_attention=False)
    write_onnx(network, contract_of(checkpoint, weights), Made("torchscript", 18), root / "model.onnx")
    images = tuple(GoldenImage(f"{number}.png", None, one[:120, :140]) for number, one in enumerate(drawn(8)))
    return open_consumer(root / "model.onnx", 1), golden_of(images, network_classifier(root / "best.ckpt"))


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("resize kernel", {"interpolation": "bilinear"}),
        ("resize mode", {"resize_mode": "crop"}),
        ("normalisation", {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}),
    ],
)
def test_what_the_contract_should_say(made, stage, change):
    file, golden = made
    (fault,) = golden_faults(replace(file, recipe=replace(file.recipe, **change)), golden, 1e-4)
    assert (fault.stage, fault.images) == (stage, 8)
    assert str(next(iter(change.values())))[1:4] in fault.found
    assert fault.found != fault.expected
    assert fault.difference_with < 1e-4 < fault.difference_without


def test_label_order(made):
    file, golden = made
    (fault,) = golden_faults(replace(file, labels=Labels(LABELS.names[::-1])), golden, 1e-4)
    assert fault.stage == "label order"


def test_no_known_way(made):
    file, golden = made
    rng = np.random.default_rng(0)
    lost = replace(golden, logits=rng.normal(0, 5, golden.logits.shape).astype(np.float32))
    assert golden_faults(file, lost, 1e-4) == ()
