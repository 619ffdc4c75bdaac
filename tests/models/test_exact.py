"""fp32 whatever surrounds it, and nothing changed afterwards."""

import numpy as np
import pytest
import torch
from torch import nn

from clf_cli.models.build import build_network
from clf_cli.models.exact import exact_fp32, laid_out, network_logits


def switches() -> tuple[object, ...]:
    return (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.is_autocast_enabled("cuda"),
    )


@pytest.fixture
def loose():
    """Everything as fast and inexact as training may have it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    with (
        torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True),
        torch.autocast("cpu", torch.bfloat16),
    ):
        yield
    torch.set_float32_matmul_precision(before)


def test_inside_everything_is_exact_and_afterwards_as_before(loose):
    outside = switches()
    with exact_fp32():
        inside = switches()

    assert outside == ("high", True, True, False, True, True, False)
    assert inside == ("highest", False, False, True, False, False, False)
    assert switches() == outside


def test_an_exception_restores_too(loose):
    outside = switches()
    with pytest.raises(KeyError), exact_fp32():
        raise KeyError
    assert switches() == outside


def test_a_matrix_product_is_fp32_inside_autocast(loose):
    layer, values = nn.Linear(64, 64), torch.randn(8, 64)
    reference = (values.double() @ layer.weight.double().T + layer.bias.double()).float()
    with exact_fp32():
        exact = layer(values)

    assert layer(values).dtype == torch.bfloat16
    torch.testing.assert_close(exact, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels_last", [True, False])
def test_logits_are_the_networks_own(loose, channels_last):
    network = build_network("test_resnet", 5)
    images = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)

    logits = network_logits(network, channels_last=channels_last)(images)

    layout = torch.channels_last if channels_last else torch.contiguous_format
    with exact_fp32():
        expected = network(torch.from_numpy(images).contiguous(memory_format=layout)).numpy()
    assert not network.training
    assert (logits.dtype, logits.shape) == (np.float32, (3, 5))
    np.testing.assert_array_equal(logits, expected)


def test_batch_norm_uses_what_it_learned():
    network = build_network("test_resnet", 5)
    logits = network_logits(network)
    images = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)

    alone = np.concatenate([logits(images[index : index + 1]) for index in range(4)])

    np.testing.assert_allclose(logits(images), alone, atol=1e-5)


def test_only_images_weights_have_a_layout():
    """Module.to with a memory format fails for weights of five dimensions, as lambda_resnet26t has them."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(1, 2, 3), nn.Linear(4, 2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    laid_out(network, torch.channels_last)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
