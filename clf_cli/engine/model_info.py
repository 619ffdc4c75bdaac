"""What a network is made of, and what one image costs it."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from clf_cli.models.build import architecture, outline_network, preprocess_for
from clf_cli.models.checkpoint import read_checkpoint
from clf_cli.models.flops_door import FlopCounter
from clf_cli.models.network import load_network
from clf_cli.settings.sections import ModelSection
from clf_cli.values.labels import Labels
from clf_cli.values.layer import Layer, layer_types
from clf_cli.values.preprocess import Preprocess
from clf_cli.values.report import NEVER_VALIDATED, ModelRef, Report
from clf_cli.values.run_dir import name_in_run


@dataclass(frozen=True)
class ModelInfoResult:
    """The report of kind `model_info`."""

    kind: ClassVar[str] = "model_info"
    arch: str
    classes: int  # logits; an architecture that timm publishes as a feature extractor has 0
    parameters: int
    trainable: int
    megabytes: float  # 10^6 bytes of parameters and buffers, as they lie in memory
    multiply_adds: int  # of one image, in convolutions, linear layers and attention
    layers: tuple[Layer, ...]  # without modules made of others alone, in the order in which the forward pass left them
    preprocess: Preprocess
    labels: Labels | None  # None for an architecture by itself: data name the classes

    def to_result(self) -> dict[str, Any]:
        return {
            "arch": self.arch,
            "classes": self.classes,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "megabytes": self.megabytes,
            "multiply_adds": self.multiply_adds,
            "input": {"channels": 3, "height": self.preprocess.height, "width": self.preprocess.width},
            "preprocess": self.preprocess.to_json(),
            "labels": None if self.labels is None else list(self.labels),
            "layer_types": layer_types(self.layers),
            "layers": [asdict(layer) for layer in self.layers],
        }


def model_info(network: nn.Module, arch: str, preprocess: Preprocess, labels: Labels) -> ModelInfoResult:
    """Counts the network and follows one image of the input size through it; leaves it as it was."""
    return replace(_counted(network, arch, preprocess, len(labels)), labels=labels)


def checkpoint_info(path: Path) -> tuple[Report, Preprocess]:
    """The report that training wrote of the network, and its preprocessing. Raises ModelError (exit 4)."""
    checkpoint = read_checkpoint(path)
    network, weights = load_network(checkpoint)
    info = model_info(network, checkpoint.arch, checkpoint.preprocess, checkpoint.labels)
    ref = ModelRef(name_in_run(path), checkpoint.arch, weights, checkpoint.run_id)
    return Report(info, ref, findings=NEVER_VALIDATED if checkpoint.score is None else ()), checkpoint.preprocess


def architecture_info(section: ModelSection) -> ModelInfoResult:
    """What training would begin with, but with as many classes as timm's own; no weights are made or loaded.

    Raises UsageError (exit 2) for an architecture that timm lacks, or one that cannot take the size.
    """
    classes = architecture(section.arch).num_classes
    return _counted(outline_network(section, classes), section.arch, preprocess_for(section), classes)


def _counted(network: nn.Module, arch: str, preprocess: Preprocess, classes: int) -> ModelInfoResult:
    parameters = list(network.parameters())
    layers, multiply_adds = _follow(network, preprocess)
    return ModelInfoResult(
        arch=arch,
        classes=classes,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        megabytes=sum(tensor.nbytes for tensor in (*parameters, *network.buffers())) / 1e6,
        multiply_adds=multiply_adds,
        layers=layers,
        preprocess=preprocess,
        labels=None,
    )


def _follow(network: nn.Module, preprocess: Preprocess) -> tuple[tuple[Layer, ...], int]:
    layers: dict[str, Layer] = {}

    def note(name: str, module: nn.Module, output: Any) -> None:
        shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        count = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        layers.setdefault(name, Layer(name or "(network)", type(module).__name__, shape, count))

    device = next(network.parameters()).device
    image = torch.zeros(1, 3, preprocess.height, preprocess.width, device=device)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_looked_at(network))
        for name, module in network.named_modules():
            if not isinstance(module, nn.Identity) and _does_something(module):
                hook = module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
                stack.callback(hook.remove)
        counter = stack.enter_context(FlopCounter(display=False, custom_mapping=_UNCOUNTED))
        with torch.no_grad():
            network(image)
    return tuple(layers.values()), counter.get_total_flops() // 2


def _does_something(module: nn.Module) -> bool:
    """Modules made of others alone are no layers."""
    return not any(True for _ in module.children()) or any(True for _ in module.parameters(recurse=False))


def _recurrent_flops(sequence: list[int], to_gates: list[int], state_to_gates: list[int], *_: Any, **__: Any) -> int:
    """Of one direction of a recurrent layer, from the shapes of (..., steps, inputs) and of its two matrices."""
    return 2 * math.prod(sequence[:-1]) * (math.prod(to_gates) + math.prod(state_to_gates))


_UNCOUNTED = {torch.ops.aten.mkldnn_rnn_layer: _recurrent_flops}  # what torch's counter takes for free


@contextlib.contextmanager
def _looked_at(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, and each module's and parameter's own state afterwards: parts may be frozen.

    torch's counter fails on a parameter that is itself a module's input, such as cait's class token, while it learns.
    """
    modes = [(module, module.training) for module in network.modules()]
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter in learning:
            parameter.requires_grad_(True)
