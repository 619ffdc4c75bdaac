"""Where libraries keep what they may rebuild, and where temporary files go: never a folder that nobody named."""

import os
from collections.abc import Iterable
from pathlib import Path

from clf_cli.data.cache import cache_dir
from clf_cli.errors import RunError

# matplotlib's list of fonts, and the kernels that torch and CUDA compile; else in ~/.cache, ~/.config, ~/.nv and /tmp
FOLDERS = {
    "MPLCONFIGDIR": "matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "torchinductor",
    "TRITON_CACHE_DIR": "triton",
    "PYTORCH_KERNEL_CACHE_PATH": "torch-kernels",
    "CUDA_CACHE_PATH": "cuda",
}
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")  # Python's order; then the system's folders, then the current one
_SYSTEMS = ("/tmp", "/var/tmp", "/usr/tmp")


def settle_folders() -> None:
    """Sets the variables that libraries and children read, before they are imported; one that is set stays.

    The libraries' caches are under ours, where that can be written. Temporary files are the system's matter; only where
    none of its folders can be written they go into our cache: Python's next choice is the current folder.
    """
    cache = cache_dir()
    if _may_write(cache):
        for variable, name in FOLDERS.items():
            os.environ.setdefault(variable, str(cache / name))
    if os.name == "posix" and not _any_for_temporary_files():
        _use_for_temporary_files(cache / "tmp")


def temporary_place() -> Path:
    """The folder for temporary files. Raises RunError (exit 6) where Python would take the current folder."""
    if os.name == "posix" and not _any_for_temporary_files():
        raise RunError("No folder for temporary files can be written.", "TMPDIR or CLF_CACHE_DIR names one that can.")
    import tempfile

    return Path(tempfile.gettempdir())


def _any_for_temporary_files() -> bool:
    named = (os.environ.get(variable) for variable in _TEMPORARY)
    return _any_writable(Path(folder) for folder in (*named, *_SYSTEMS) if folder)


def _any_writable(folders: Iterable[Path]) -> bool:
    return any(folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) for folder in folders)


def _use_for_temporary_files(folder: Path) -> None:
    """Where it cannot be made, what needs it says so."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["TMPDIR"] = str(folder)


def _may_write(folder: Path) -> bool:
    """Whether it, or what of its path is there, lets new files in."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    return _any_writable([there])
