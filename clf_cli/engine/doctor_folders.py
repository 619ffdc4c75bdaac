"""Folders that clf would write to: whether it can, and how much room there is."""

import shutil
import tempfile
from pathlib import Path

from clf_cli.data.cache import cache_dir
from clf_cli.engine.doctor_check import Check, Status, gigabytes

GROUP = "folders"
LITTLE_ROOM = 1e9  # bytes: a run with its checkpoints and ONNX file takes some hundred million


def folders(runs: Path) -> tuple[Check, ...]:
    """`runs` is where `clf train` would make runs. Nothing is left behind, and no folder is made."""
    return (
        _folder("runs", runs, "problem", "Name another one with --out, or CLF_TRAIN__OUT."),
        _folder("cache", cache_dir(), "warning", "CLF_CACHE_DIR names another folder; clf works without, but slower."),
        _folder("published weights", _weights(), "warning", "HF_HOME names another folder; or use --weights FILE."),
        _folder("temporary files", Path(tempfile.gettempdir()), "problem", "TMPDIR names another folder."),
    )


def _weights() -> Path:
    """Where timm's published weights are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE  # not at the top: it is slow

    return Path(HF_HUB_CACHE)


def _folder(name: str, path: Path, failed: Status, hint: str) -> Check:
    path = path.expanduser()
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    shown = f"{_short(path)}{'' if path.exists() else ' (not made yet)'}"
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Check(GROUP, name, f"{shown} cannot be written: {error.strerror}", failed, hint)
    free = shutil.disk_usage(there).free
    if free < LITTLE_ROOM:
        return Check(GROUP, name, f"{shown}, only {gigabytes(free)} free", "warning", hint)
    return Check(GROUP, name, f"{shown}, {gigabytes(free)} free")


def _short(path: Path) -> str:
    """With `~` for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):  # elsewhere, or of a user without a home
        return path.as_posix()
