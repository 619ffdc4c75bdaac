"""Finding files below a data folder without leaving it."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clf_cli.data.images import SUFFIXES
from clf_cli.data.samples import Finding, is_unicode

_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "icon\r"})
MANIFEST_SUFFIXES = frozenset({".jsonl", ".csv"})


@dataclass
class Tree:
    """Files below a folder, in code-point order of their paths relative to the root."""

    images: list[str] = field(default_factory=list)  # by suffix, whatever they are
    manifests: list[str] = field(default_factory=list)  # JSON lines
    litter: int = 0  # hidden files and what file browsers leave behind
    others: Counter[str] = field(default_factory=Counter)  # files of other kinds, by suffix
    findings: list[Finding] = field(default_factory=list)


def is_litter(name: str) -> bool:
    """Hidden files, and what desktop systems leave in folders; never data."""
    return name.startswith(".") or name.lower() in _LITTER


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in `folder`, by name in code-point order. Raises OSError when it cannot be listed."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """False for links that lead nowhere, in a circle, or through a folder that may not be entered."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def unreadable_folder(name: str, error: OSError) -> Finding:
    return Finding.of("CLF107", name, f"folder cannot be read: {error.strerror}")


def unreadable_name(name: str) -> Finding:
    return Finding.of("CLF603", name, "the name is not valid Unicode")


def walk(root: Path, folder: Path, deep: bool = True) -> Tree:
    """Everything below `folder`, or, not `deep`, directly in it; links to folders are followed inside `root`, each real
    folder once.

    A folder with an image's suffix is listed as an image, so that the scan can refuse it by name.
    """
    tree = Tree()
    seen: set[Path] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        name = current.relative_to(root).as_posix()
        real = current.resolve()
        if real in seen:
            continue
        seen.add(real)
        if not real.is_relative_to(root):
            tree.findings.append(Finding.of("CLF111", name, "links out of the data folder"))
            continue
        try:
            below = list(_sort(root, current, tree))
        except OSError as error:
            tree.findings.append(unreadable_folder(name, error))
        else:
            waiting.extend(below if deep else ())
    tree.images.sort()
    tree.manifests.sort()
    return tree


def _sort(root: Path, folder: Path, tree: Tree) -> Iterator[Path]:
    """Files go into `tree`, folders come back."""
    prefix = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
    for entry in entries(folder):
        name, suffix = prefix + entry.name, os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - a Path is slow
        if is_litter(entry.name):
            tree.litter += 1
        elif not is_unicode(entry.name):
            tree.findings.append(unreadable_name(name))
        elif suffix in SUFFIXES:
            tree.images.append(name)
        elif is_folder(entry):
            yield folder / entry.name
        elif suffix == ".jsonl":
            tree.manifests.append(name)
        else:
            tree.others[suffix] += 1
