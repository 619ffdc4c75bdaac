"""What the shell completes: models, runs, architectures. Reads names only, and is as quick as the help."""

from collections.abc import Callable, Iterator
from pathlib import Path

from clf_cli.models.archs import complete_arch

_MODEL_FILES = ("*.onnx", "*.ckpt", "*.pt")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@,%")


def complete_run(incomplete: str) -> list[str]:
    """Run folders: those of ./runs, those here, those in the folder that was begun.

    Without a match the shell completes paths. Names that need quotes are left to it.
    """
    return [name for name in sorted({*_runs(incomplete)}) if name.startswith(incomplete) and _PLAIN.issuperset(name)]


def complete_model(incomplete: str) -> list[str]:
    """Run folders, then checkpoints and ONNX files in the folder that was begun."""
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    files = (file.as_posix() for pattern in _MODEL_FILES for file in folder.glob(pattern))
    found = [name for name in sorted(files) if name.startswith(incomplete) and _PLAIN.issuperset(name)]
    return [*complete_run(incomplete), *found]


def complete_model_or_arch(incomplete: str) -> list[str]:
    """Models, and architectures once a letter says that one is meant."""
    return [*complete_model(incomplete), *(complete_arch(incomplete) if incomplete else [])]


def complete_device(incomplete: str) -> list[str]:
    """Kinds of devices; asking the machine would import torch."""
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]


def _runs(incomplete: str) -> Iterator[str]:
    begun = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    for folder in {begun, Path("runs")}:
        yield from (file.parent.as_posix() for file in folder.glob("*/run.json"))


COMPLETIONS: dict[str, Callable[[str], list[str]]] = {  # of settings whose values are no fixed words, by path
    "model.arch": complete_arch,
    "train.resume": complete_run,
    "train.init_from": complete_model,
    "compute.device": complete_device,
}
