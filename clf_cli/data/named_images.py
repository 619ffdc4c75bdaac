"""Images that are named by a person, one by one or by the folder that they lie in."""

import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from clf_cli.data.images import UnreadableImageError
from clf_cli.data.walk import entries, is_litter, walk

_NUMBER = re.compile("[0-9]+")


@dataclass(frozen=True)
class NamedImage:
    """An image to predict: a file that nobody has opened yet, upright RGB pixels, or why there is nothing to open."""

    path: str | None  # as it was named; None for pixels that came from no file
    content: Path | Image.Image | UnreadableImageError


def images_named(name: str, recursive: bool = False) -> list[NamedImage]:
    """The file of that name; of a folder its images, with `recursive` those of the folders in it too, in natural order.

    Never empty and never raises: what is not there is an image with a reason. Paths begin with `name` as it stands.
    """
    path = Path(name)
    try:
        if name and path.is_dir():
            return _folder(name, path, recursive)
        there = path.exists()
    except (OSError, ValueError):  # opening it gives the reason
        there = True
    reason = "no such file" if name else "an empty path"
    return [NamedImage(name, path if name and there else UnreadableImageError(reason))]


def natural(path: str) -> tuple[list[str], str]:
    """A key that sorts `2.png` before `10.png`, folder by folder; `7.png` and `07.png` go by code points."""
    return [_NUMBER.sub(lambda found: found[0].zfill(20), part) for part in path.split("/")], path


def _folder(name: str, path: Path, recursive: bool) -> list[NamedImage]:
    root = path.resolve()
    tree = walk(root, root, deep=recursive)
    found: dict[str, Path | UnreadableImageError] = {image: root / image for image in tree.images}
    found |= {finding.path: UnreadableImageError(finding.reason) for finding in tree.findings}
    if not found:
        return [NamedImage(name, UnreadableImageError(_why_empty(path, recursive)))]
    prefix = name if name.endswith("/") else f"{name}/"
    return [NamedImage(prefix + below, found[below]) for below in sorted(found, key=natural)]


def _why_empty(path: Path, recursive: bool) -> str:
    if not recursive and any(entry.is_dir() and not is_litter(entry.name) for entry in entries(path)):
        return "a folder without images of its own; -r looks into the folders in it"
    return "a folder without images"
