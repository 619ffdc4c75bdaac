"""What the shell completes: models, runs, architectures. Reads names only, and is as quick as the help."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clf_cli.data.codes import WORDS
from clf_cli.models.archs import complete_arch

_MODEL_FILES = ("*.onnx", "*.ckpt", "*.pt")
_SPECIAL = frozenset(" '\"\\$`&|;<>()*?[]{}!#~:=@^")  # a shell would break a word there, or read more into it


def complete_run(incomplete: str) -> list[str]:
    """Run folders: those of ./runs, those here, those in the folder that was begun.

    Without a match the shell completes paths. Names that need quotes are left to it.
    """
    return _usable(_runs(incomplete), incomplete)


def complete_model(incomplete: str) -> list[str]:
    """Run folders, then checkpoints and ONNX files in the folder that was begun."""
    files = (file.as_posix() for pattern in _MODEL_FILES for file in _begun(incomplete).glob(pattern))
    return [*complete_run(incomplete), *_usable(files, incomplete)]


def complete_model_or_arch(incomplete: str) -> list[str]:
    """Models, and architectures once a letter says that one is meant."""
    return [*complete_model(incomplete), *(complete_arch(incomplete) if incomplete else [])]


def complete_device(incomplete: str) -> list[str]:
    """Kinds of devices; asking the machine would import torch."""
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]


def complete_finding_words(incomplete: str) -> list[str]:
    """Severities, categories and codes of findings; after a comma the next one."""
    earlier, comma, begun = incomplete.rpartition(",")
    return [f"{earlier}{comma}{word}" for word in (*WORDS, "none") if word.startswith(begun)]


def _runs(incomplete: str) -> Iterator[str]:
    for folder in {_begun(incomplete), Path("runs")}:
        yield from (file.parent.as_posix() for file in folder.glob("*/run.json"))


def _begun(incomplete: str) -> Path:
    """The folder that is named so far."""
    return Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent


def _usable(names: Iterable[str], incomplete: str) -> list[str]:
    """Those that begin so and need no quotes."""
    return sorted(
        name for name in set(names) if name.startswith(incomplete) and name.isprintable() and not _SPECIAL & set(name)
    )


COMPLETIONS: dict[str, Callable[[str], list[str]]] = {  # of settings whose values are no fixed words, by path
    "model.arch": complete_arch,
    "train.resume": complete_run,
    "train.init_from": complete_model,
    "compute.device": complete_device,
    "gate.fail_on": complete_finding_words,
    "gate.warn_on": complete_finding_words,
    "clean.drop": complete_finding_words,
}
