"""Weights from a local file into a network of other classes, input channels or image size."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from clf_cli.errors import ModelError
from clf_cli.models.timm_door import PretrainedCfg, adapt_input_conv
from clf_cli.models.torch_files import is_safetensors, load_safetensors, load_torch, read_start

Create = Callable[[dict[str, Any] | None], nn.Module]  # builds the network; an overlay of timm's entry names weights
StateDict = Mapping[str, Tensor]
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")  # keys under which trainers keep the weights
_FORMATS = "--weights takes .safetensors, or .pth, .pt and .bin files of torch.save."


def fill_from_file(create: Create, cfg: PretrainedCfg, num_classes: int, path: Path) -> tuple[nn.Module, str]:
    """A network with the file's weights, and a sentence on what was taken.

    A head of another size stays random, the first convolution is adapted to three channels, and layouts and image
    sizes that timm converts for its own weights are converted. Anything else that does not fit is refused: ModelError
    (exit 4), with the names and counts.
    """
    network = create(None)
    own = network.state_dict()
    found = _without_prefix(read_weights(path), own)
    tensors, notes = _adapt(found, own, cfg)
    missing = [name for name, value in own.items() if name not in tensors or tensors[name].shape != value.shape]
    if missing:
        body = {name: value for name, value in own.items() if value.ndim and name not in head_keys(own, cfg)}
        refusal = _misfit(path, cfg, body, missing, found)
        if _shapes_in_common(body, found) < len(body) / 2:  # timm loads some architectures loosely
            raise refusal
        network = _converted_by_timm(create, tensors, num_classes, refusal)
    else:
        network.load_state_dict({name: tensors[name] for name in own})
    return network, "; ".join([f"Started from the weights in {path}", *notes]) + "."


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a safetensors or torch file, told apart by content; nothing of the file is run.

    Raises ModelError (exit 4) when there is no such file, or it is cut short, holds no tensors, or asks to run code.
    """
    try:
        safe = is_safetensors(read_start(path, "weights file"))
        data: Any = load_safetensors(path) if safe else load_torch(path, "weights file")
    except ModelError as error:
        raise ModelError(error.message, error.hint or _FORMATS) from error
    if isinstance(data, dict):
        data = next((data[key] for key in _WRAPPERS if isinstance(data.get(key), dict)), data)
        tensors = {name: value for name, value in data.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
    raise ModelError(f"{path} holds no tensors by name.", _FORMATS)


def head_keys(own: StateDict, cfg: PretrainedCfg) -> frozenset[str]:
    """Names of the classifier's tensors; their first axis is the classes."""
    heads = (cfg.classifier,) if isinstance(cfg.classifier, str) else tuple(cfg.classifier or ())
    return frozenset(name for name in own if name.rpartition(".")[0] in heads)


def _without_prefix(tensors: dict[str, Tensor], own: StateDict) -> dict[str, Tensor]:
    """Drops what wrappers put before every name (`module.`, `network.`): the prefix with which most names match."""
    probe = next(iter(own))
    prefixes = ["", *(name.removesuffix(probe) for name in tensors if name.endswith(f".{probe}"))]
    best = max(prefixes, key=lambda prefix: sum(f"{prefix}{name}" in tensors for name in own))
    return {name.removeprefix(best): value for name, value in tensors.items() if name.startswith(best)}


def _adapt(tensors: dict[str, Tensor], own: StateDict, cfg: PretrainedCfg) -> tuple[dict[str, Tensor], list[str]]:
    """The file's tensors with a head and a first convolution that fit, and what had to change."""
    adapted, notes = dict(tensors), []
    heads = head_keys(own, cfg)
    if any(name not in tensors or tensors[name].shape != own[name].shape for name in heads):
        known = sorted({tensors[name].shape[0] for name in heads if name in tensors and tensors[name].ndim})
        stems = tuple(f"{name.rpartition('.')[0]}." for name in heads)
        adapted = {name: value for name, value in adapted.items() if not name.startswith(stems)}
        adapted |= {name: own[name] for name in heads}
        notes.append(f"the head is new (the file's has {known[0]} classes)" if known else "the head is new")
    for stem in (cfg.first_conv,) if isinstance(cfg.first_conv, str) else tuple(cfg.first_conv or ()):
        name = f"{stem}.weight"
        if name in adapted and name in own and adapted[name].ndim == own[name].ndim == 4:
            channels = adapted[name].shape[1]
            if channels not in (0, own[name].shape[1]):
                adapted[name] = adapt_input_conv(own[name].shape[1], adapted[name], base_chans=channels)
                notes.append(f"its first convolution was adapted from {channels} to {own[name].shape[1]} channels")
    for name in own:  # old files lack these counters, which only cumulative averages read
        if name.endswith("num_batches_tracked") and name not in adapted:
            adapted[name] = own[name]
    return adapted, notes


def _misfit(path: Path, cfg: PretrainedCfg, body: StateDict, missing: list[str], found: StateDict) -> ModelError:
    lacking = [name for name in missing if name in body]
    return ModelError(
        f"{path} does not hold weights of {cfg.architecture}: of the {len(body)} tensors of its body the file has "
        f"{len(body) - len(lacking)}, by name and shape.",
        f"Missing: {_some(lacking)}. In the file: {_some(list(found))}. Name the --arch that it was saved from.",
    )


def _shapes_in_common(body: StateDict, found: StateDict) -> int:
    """Whatever they are called: a foreign layout of the same network shares most of them."""
    return (Counter(value.shape for value in body.values()) & Counter(value.shape for value in found.values())).total()


def _converted_by_timm(create: Create, tensors: dict[str, Tensor], num_classes: int, refusal: ModelError) -> nn.Module:
    """Loads through timm's conversion of foreign layouts, position tables and image sizes."""
    try:
        network = create({"state_dict": tensors, "num_classes": num_classes, "label_offset": 0})
    except (RuntimeError, KeyError, ValueError, IndexError, AssertionError, AttributeError, TypeError) as error:
        raise refusal from error
    cast(dict[str, Any], network.pretrained_cfg).pop("state_dict")  # or every copy of the network would carry it
    return network


def _some(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
