"""What a run imports before its first step, and what its optimiser does."""

import subprocess
import sys

import pytest
import torch

from clf_cli.training.optimizer import without_compiler

PROGRAM = """
import sys
import clf_cli.training.session
from clf_cli.engine.model_info import _follow
from clf_cli.models.build import build_network
from clf_cli.settings.sections import OptimSection
from clf_cli.training.optimizer import build_optimizer
from clf_cli.values.preprocess import Preprocess
import torch

network = build_network("test_resnet", 3)
optimizer = build_optimizer(network, OptimSection(), fused=True)
torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
network(torch.zeros(2, 3, 32, 32)).sum().backward()
optimizer.step()
optimizer.zero_grad(set_to_none=True)
optimizer.load_state_dict(optimizer.state_dict())
preprocess = Preprocess(32, 32, "squash", "bicubic", 1.0, (0.5,) * 3, (0.5,) * 3)
assert _follow(network, preprocess)[1] > 0
large = ("torch._dynamo", "triton", "sympy", "matplotlib", "scipy.signal", "onnx", "onnxruntime")
print(*[name for name in large if name in sys.modules])
"""


def test_a_step_needs_no_compiler_no_plots_and_no_onnx():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.AdamW, {"fused": True}),
        (torch.optim.AdamW, {"weight_decay": 0.1}),
        (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "fused": True}),
    ],
)
def test_an_optimiser_without_compiler_takes_the_same_steps(kind, options):
    weights = []
    for make in (kind, without_compiler(kind)):
        torch.manual_seed(0)
        layer = torch.nn.Linear(5, 3)
        optimizer = make(layer.parameters(), lr=0.1, **options)
        for turn in range(4):
            optimizer.zero_grad(set_to_none=True)
            optimizer.step(lambda layer=layer: layer(torch.ones(2, 5)).square().sum().backward())
            if turn == 1:
                again = make(layer.parameters(), lr=0.1, **options)
                again.load_state_dict(optimizer.state_dict())
                optimizer = again
        assert isinstance(optimizer, kind)
        assert type(optimizer).__name__ == kind.__name__
        assert torch.is_grad_enabled()
        weights.append(torch.cat([layer.weight.flatten(), layer.bias]))
    assert torch.equal(weights[0], weights[1])
