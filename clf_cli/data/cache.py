"""What may be rebuilt at any time: `CLF_CACHE_DIR`, by default the platform's cache folder. Never inside the data."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clf_cli.errors import RunError
from clf_cli.files import write_text
from clf_cli.reading import read_json

CACHE_VARIABLE = "CLF_CACHE_DIR"
_HOMELESS = Path("/.cache/clf")  # which may not be written, as a rule; what would write there says so
_MOST = 1 << 32  # bytes of a scan; of a million images it has a third of a gigabyte


def cache_dir() -> Path:
    """The folder of everything that may be deleted; it need not exist."""
    named = os.environ.get(CACHE_VARIABLE)
    try:
        found = Path(named or _user_cache()).expanduser()
    except RuntimeError:  # a user without a home, as in containers that run under some number
        return _HOMELESS
    return found


def _user_cache() -> str:
    """Of this user. On Linux as platformdirs says it, whose import takes 5 ms."""
    home, others = os.environ.get("HOME", ""), {"XDG_CACHE_HOME", "ANDROID_DATA", "ANDROID_ROOT"}
    if sys.platform == "linux" and home.startswith("/") and not others & os.environ.keys():
        return "~/.cache/clf"
    import platformdirs

    return platformdirs.user_cache_dir("clf", appauthor=False)


def scan_cache_file(root: Path) -> Path:
    """Where the scan of `root` (absolute) is remembered."""
    import hashlib  # 2 ms, and all that needs no scan asks where the folder is

    name = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache_dir() / "scan" / f"{name}.json"


def read_scan(path: Path, root: Path, version: str) -> dict[str, list[Any]]:
    """Rows by path; empty when there is no cache, or one that is broken, or of another root or version."""
    try:
        data = read_json(path, most=_MOST)
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict) or data.get("version") != version or data.get("root") != str(root):
        return {}
    rows = data.get("files")
    return {key: row for key, row in rows.items() if isinstance(row, list)} if isinstance(rows, dict) else {}


def write_scan(path: Path, root: Path, version: str, rows: Mapping[str, list[Any]]) -> str | None:
    """Replaces the cache whole; a cache that cannot be written comes back as a note, it is never an error."""
    try:
        write_text(path, json.dumps({"version": version, "root": str(root), "files": rows}, separators=(",", ":")))
    except (RunError, OSError) as error:
        reason = error.message if isinstance(error, RunError) else str(error)
        return f"What the scan showed is not remembered: {reason} CLF_CACHE_DIR names another folder."
    return None
