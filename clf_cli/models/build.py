"""Networks by timm's architecture names: built, and filled with published, local or random weights."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from clf_cli.errors import ModelError, UsageError, first_line
from clf_cli.models.archs import require_plain
from clf_cli.models.checkpoint import Checkpoint
from clf_cli.models.pretrained import fetch_pretrained
from clf_cli.models.timm_door import PretrainedCfg, get_pretrained_cfg, set_fused_attn, timm, use_fused_attn
from clf_cli.models.weights import Create, fill_from_file, head_keys
from clf_cli.settings.sections import ModelSection
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Interpolation, Preprocess

ImageSize = int | tuple[int, int]  # side, or (height, width)
BUILD_ERRORS = (RuntimeError, AssertionError, ValueError, TypeError, ZeroDivisionError, IndexError)


def build_network(
    arch: str,
    num_classes: int,
    drop_rate: float = 0.0,
    fused_attention: bool = True,
    image_size: ImageSize | None = None,
) -> nn.Module:
    """A randomly initialised network from (N, 3, H, W) to logits (N, num_classes), in training mode.

    Architectures with a fixed input are built for `image_size`; the others take any. Without `fused_attention` it
    exports to ONNX everywhere; the weights are the same. Raises UsageError (exit 2) when timm cannot build it.
    """
    with contextlib.nullcontext() if fused_attention else _plain_attention():
        return _creator(arch, num_classes, drop_rate, image_size)(None)


def preprocess_for(section: ModelSection) -> Preprocess:
    """The evaluation transform of an architecture, from timm's table; the section's own values win. Builds nothing."""
    cfg = architecture(section.arch)
    height, width = (section.image_size, section.image_size) if section.image_size else cfg.input_size[1:]
    interpolation = cfg.interpolation if section.interpolation == "auto" else section.interpolation
    return Preprocess(
        height=height,
        width=width,
        resize_mode=section.resize_mode,
        interpolation=cast(Interpolation, interpolation),
        crop_share=section.crop_share,
        mean=_per_channel(cfg.mean),
        std=_per_channel(cfg.std),
    )


def initial_network(section: ModelSection, num_classes: int, image_size: ImageSize) -> tuple[nn.Module, str]:
    """The network that training starts from, on the CPU, and one sentence on which weights it has.

    `--weights` wins over `--pretrained`. Raises ModelError (exit 4) for a file that does not fit or published weights
    that cannot be reached, UsageError (exit 2) for an architecture without any or one that cannot take the size.
    """
    create = _creator(section.arch, num_classes, section.drop_rate, image_size)
    cfg = architecture(section.arch)
    if section.weights is not None:
        network, note = fill_from_file(create, cfg, num_classes, section.weights)
    elif section.pretrained:
        network, note = _fill_from_published(create, section.arch, num_classes)
    else:
        network, note = create(None), "Random weights (--no-pretrained)."
    _check_takes(network, section.arch, image_size)
    return network, note


def outline_network(section: ModelSection, num_classes: int) -> nn.Module:
    """The network that training would start from, on torch's meta device: it has shapes and no memory, and can be
    counted, not used.

    Raises UsageError (exit 2) like `initial_network`.
    """
    preprocess = preprocess_for(section)
    size = (preprocess.height, preprocess.width)
    with torch.device("meta"):
        network = build_network(section.arch, num_classes, section.drop_rate, image_size=size)
        _check_takes(network, section.arch, size)
    return network


def init_from(network: nn.Module, checkpoint: Checkpoint, labels: Labels) -> str:
    """Fills `network` with the checkpoint's weights that scored, and says in a sentence what was taken.

    Where the class lists differ, the head's rows of classes that both know are taken by name and the others stay
    random. Raises ModelError (exit 4) when the rest does not fit.
    """
    own = network.state_dict()
    source, weights = checkpoint.weights()
    heads = head_keys(own, architecture(checkpoint.arch))
    wrong = [
        name
        for name, value in own.items()
        if name not in source or _shape(source[name], name in heads) != _shape(value, name in heads)
    ]
    if wrong:
        size = checkpoint.preprocess.height
        raise ModelError(
            f"{checkpoint.path} holds a {checkpoint.arch} for {size}-pixel images, which does not fit this network: "
            f"{len(wrong)} of {len(own)} tensors are missing or of another shape, such as {wrong[0]}.",
            f"Give --arch {checkpoint.arch} --image-size {size}.",
        )
    shared = [name for name in labels if name in checkpoint.labels]
    here = [labels.indices[name] for name in shared]
    there = [checkpoint.labels.indices[name] for name in shared]
    filled = {name: source[name] for name in own if name not in heads}
    for name in heads:
        filled[name] = own[name].clone()
        filled[name][here] = source[name][there]
    network.load_state_dict(filled)
    taken = f"Started from the {weights} weights of {checkpoint.path} (epoch {checkpoint.epoch})"
    return f"{taken}; its head knows {len(shared)} of the {len(labels)} classes."


def architecture(arch: str) -> PretrainedCfg:
    """timm's entry for an architecture, with or without a tag. Raises UsageError (exit 2) when there is none."""
    require_plain(arch)
    try:
        cfg = get_pretrained_cfg(arch)
    except RuntimeError as error:
        name = arch.partition(".")[0]
        tags = ", ".join(timm.list_pretrained(name)) if timm.is_model(name) else ""
        raise UsageError(
            f"There is no architecture {arch!r}.",
            f"Published for {name}: {tags}." if tags else "See timm's list of models.",
        ) from error
    if cfg is None:
        raise UsageError(f"There is no architecture {arch!r}.", "See timm's list of models.")
    return cfg


def _creator(arch: str, num_classes: int, drop_rate: float, image_size: ImageSize | None) -> Create:
    """A function that builds the network, with weights when it is given timm's overlay that names them."""
    require_plain(arch)
    sizes: dict[str, Any] = {}
    if image_size is not None and architecture(arch).fixed_input_size:
        sizes["img_size"] = image_size

    def create(overlay: dict[str, Any] | None) -> nn.Module:
        return timm.create_model(
            arch,
            pretrained=overlay is not None,
            num_classes=num_classes,
            in_chans=3,
            drop_rate=drop_rate,
            pretrained_cfg_overlay=overlay,
            **sizes,
        )

    def create_checked(overlay: dict[str, Any] | None) -> nn.Module:
        if overlay is not None:
            return create(overlay)
        try:
            return create(None)
        except BUILD_ERRORS as error:
            raise UsageError(f"{arch} cannot be built: {first_line(error)}", _sizes_hint(arch)) from error

    return create_checked


def _fill_from_published(create: Create, arch: str, num_classes: int) -> tuple[nn.Module, str]:
    cfg = architecture(arch)
    path = fetch_pretrained(arch, cfg)
    try:
        network = create({"file": str(path), "custom_load": cfg.custom_load})
    except (*BUILD_ERRORS, SafetensorError, KeyError, OSError) as error:
        raise ModelError(
            f"The published weights of {arch} in {path} cannot be used: {first_line(error)}",
            "If the file is damaged, delete it to have it loaded again; or use --weights FILE or --no-pretrained.",
        ) from error
    head = "kept" if num_classes == cfg.num_classes else f"new (it had {cfg.num_classes} classes)"
    return network, f"Started from the published weights {cfg.architecture}.{cfg.tag}; the head is {head}."


def _check_takes(network: nn.Module, arch: str, image_size: ImageSize) -> None:
    """One forward pass: some architectures accept a size when built and fail on it later."""
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, height, width))
    except BUILD_ERRORS as error:
        raise UsageError(
            f"{arch} cannot take images of {height} × {width} pixels: {first_line(error)}", _sizes_hint(arch)
        ) from error
    network.train()


def _sizes_hint(arch: str) -> str:
    return f"Its own size is --image-size {architecture(arch).input_size[-1]}."


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """timm reads its switch when a layer is built."""
    fused, experimental = use_fused_attn(), use_fused_attn(experimental=True)
    set_fused_attn(False)
    try:
        yield
    finally:
        set_fused_attn(fused, experimental)


def _shape(tensor: Tensor, of_head: bool) -> tuple[int, ...]:
    """The shape, without a head's axis of classes."""
    return tuple(tensor.shape[1:] if of_head else tensor.shape)


def _per_channel(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue
