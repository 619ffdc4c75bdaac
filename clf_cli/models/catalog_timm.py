"""The table of timm's architectures, from timm: `python -m clf_cli.models.catalog_timm FOLDER` writes it (minutes)."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from clf_cli.files import write_text
from clf_cli.models.build import BUILD_ERRORS, architecture
from clf_cli.models.catalog import SHIPPED, Entry, catalog_file, catalog_text
from clf_cli.models.timm_door import timm

_Build = tuple[str, int, tuple[int, ...] | None]  # what parameters depend on: architecture, classes, a fixed input size


def list_entries() -> tuple[Entry, ...]:
    """Every published weights of timm, and its architectures without any, not counted."""
    published: dict[str, list[str]] = {name: [] for name in timm.list_models()}
    for name in timm.list_models(pretrained=True):
        published[name.partition(".")[0]].append(name)
    return tuple(_entry(name, arch) for arch, names in sorted(published.items()) for name in (sorted(names) or [arch]))


def count_parameters(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries in turn, counted without memory for weights; one that timm cannot build stays uncounted."""
    known: dict[_Build, int | None] = {}
    for entry in entries:
        build = _build(entry)
        if build not in known:
            known[build] = _parameters(entry.name)
        yield replace(entry, parameters=known[build])


def _entry(name: str, arch: str) -> Entry:
    cfg = architecture(name)
    _, height, width = cfg.input_size
    return Entry(
        name=name,
        default=name in (arch, f"{arch}.{architecture(arch).tag}"),
        classes=cfg.num_classes,
        height=height,
        width=width,
        licence=(cfg.license or "") if cfg.has_weights else "",
        source=str(cfg.hf_hub_id or cfg.url) if cfg.has_weights else "",
    )


def _build(entry: Entry) -> _Build:
    cfg = architecture(entry.name)
    return entry.architecture, cfg.num_classes, cfg.input_size if cfg.fixed_input_size else None


def _parameters(name: str) -> int | None:
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in timm.create_model(name).parameters())
    except BUILD_ERRORS:
        return None


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    write_text(catalog_file(folder, timm.__version__), catalog_text(count_parameters(list_entries())))
