"""Folders that clf would write to: whether it can, and how much room there is. They are looked at, not written."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

from clf_cli.data.cache import cache_dir
from clf_cli.data.library_caches import temporary_place
from clf_cli.engine.doctor_check import Check, Status, gigabytes
from clf_cli.errors import RunError

GROUP = "folders"
LITTLE_ROOM = 1e9  # bytes: a run with its checkpoints and ONNX file takes some hundred million


def folders(runs: Path) -> tuple[Check, ...]:
    """`runs` is where `clf train` would make runs. Nothing is left behind, and no folder is made."""
    return (
        _folder("runs", runs, "problem", "Name another one with --out, or CLF_TRAIN__OUT."),
        _folder("cache", cache_dir(), "warning", "CLF_CACHE_DIR names another folder; clf works without, but slower."),
        _folder("published weights", _weights(), "warning", "HF_HOME names another folder; or use --weights FILE."),
        _temporary_files(),
    )


def _temporary_files() -> Check:
    name = "temporary files"
    try:
        return _folder(name, temporary_place(), "problem", "TMPDIR names another folder.")
    except RunError as error:
        return Check(GROUP, name, error.message, "problem", error.hint)


def _weights() -> Path:
    """Where timm's published weights are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE  # not at the top: it is slow

    return Path(HF_HUB_CACHE)


def _folder(name: str, path: Path, failed: Status, hint: str) -> Check:
    with contextlib.suppress(RuntimeError):  # a user without a home
        path = path.expanduser()
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    shown = f"{_short(path)}{'' if path.exists() else ' (not made yet)'}"
    reason = _why_closed(there)
    if reason is not None:
        return Check(GROUP, name, f"{shown} cannot be written: {reason}", failed, hint)
    free = shutil.disk_usage(there).free
    if free < LITTLE_ROOM:
        return Check(GROUP, name, f"{shown}, only {gigabytes(free)} free", "warning", hint)
    return Check(GROUP, name, f"{shown}, {gigabytes(free)} free")


def _why_closed(folder: Path) -> str | None:
    """Why no file can be made in it, in the words of the operating system; None where one can."""
    if not folder.is_dir():
        return os.strerror(errno.ENOTDIR)
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    is_read_only = hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    return os.strerror(errno.EROFS if is_read_only else errno.EACCES)


def _short(path: Path) -> str:
    """With `~` for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):  # elsewhere, or of a user without a home
        return path.as_posix()
