"""The cache lies where CLF_CACHE_DIR says, never in the data, and is told apart by root."""

import sys
from pathlib import Path

import platformdirs
import pytest

from clf_cli.data.cache import cache_dir, read_scan, scan_cache_file, write_scan


def test_the_variable_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    assert scan_cache_file(Path("/a")).parent == tmp_path / "scan"
    assert scan_cache_file(Path("/a")) != scan_cache_file(Path("/b"))


def test_without_it_the_platform_decides(monkeypatch):
    monkeypatch.delenv("CLF_CACHE_DIR", raising=False)
    assert cache_dir().name == "clf"
    assert cache_dir().is_absolute()


def test_rows_come_back_for_the_same_root_and_version_only(tmp_path):
    path, rows = tmp_path / "new" / "scan.json", {"é.png": [1, 2, "x", None]}
    assert write_scan(path, Path("/a"), "1", rows) is None
    assert read_scan(path, Path("/a"), "1") == rows
    assert read_scan(path, Path("/b"), "1") == {}
    assert read_scan(path, Path("/a"), "2") == {}
    assert read_scan(tmp_path / "none.json", Path("/a"), "1") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
@pytest.mark.parametrize("home", ["/home/somebody", "/home/somebody/", "", "/"])
@pytest.mark.parametrize("cache", [None, "/caches", "", "relative"])
def test_the_folder_is_the_platforms(monkeypatch, home, cache):
    monkeypatch.delenv("CLF_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    if cache is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
    assert cache_dir() == Path(platformdirs.user_cache_dir("clf", appauthor=False)).expanduser()
