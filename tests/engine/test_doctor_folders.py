"""Folders that can be written, and those that cannot."""

from collections import namedtuple
from pathlib import Path

from clf_cli.engine import doctor_folders
from clf_cli.engine.doctor_folders import folders

Usage = namedtuple("Usage", "total used free")


def found(runs):
    return {check.name: check for check in folders(Path(runs))}


def test_new_folders_are_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "a" / "b"))
    checks = found("runs")
    assert {name: check.status for name, check in checks.items()} == dict.fromkeys(checks, "ok")
    assert checks["runs"].value.startswith("runs (not made yet), ")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("CLF_CACHE_DIR", str(blocked / "cache"))
    checks = found(blocked / "runs")
    assert (checks["runs"].status, checks["cache"].status) == ("problem", "warning")
    assert "cannot be written: Not a directory" in checks["runs"].value
    assert "--out" in (checks["runs"].hint or "")


def test_a_user_without_a_home(tmp_path, monkeypatch):
    def nowhere(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(nowhere))
    assert found(tmp_path)["runs"].value.startswith(tmp_path.as_posix())


def test_little_room_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_folders.shutil, "disk_usage", lambda folder: Usage(1e9, 9e8, 1e8))
    check = found(tmp_path)["runs"]
    assert (check.status, check.value) == ("warning", f"{tmp_path.as_posix()}, only 100 MB free")


def test_the_home_folder_is_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert found(tmp_path / "runs")["runs"].value.startswith("~/runs (not made yet)")
