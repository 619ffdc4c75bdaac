"""Caches of libraries go under ours, temporary files where the system wants them; neither into the current folder."""

import os
from pathlib import Path

import pytest

from clf_cli.data import library_caches
from clf_cli.data.cache import cache_dir
from clf_cli.data.library_caches import FOLDERS, settle_folders, temporary_place
from clf_cli.errors import RunError


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is named, and a folder of the system's for temporary files; what a test sets is taken back."""
    for variable in (*FOLDERS, "TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setattr(library_caches, "_SYSTEMS", (str(tmp_path),))
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))


def test_caches_are_under_ours_and_no_folder_is_made(tmp_path):
    settle_folders()
    assert {variable: os.environ[variable] for variable in FOLDERS} == {
        variable: str(tmp_path / "cache" / name) for variable, name in FOLDERS.items()
    }
    assert list(tmp_path.iterdir()) == []
    assert "TMPDIR" not in os.environ


def test_what_a_person_named_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLCONFIGDIR", "/elsewhere")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    settle_folders()
    assert (os.environ["MPLCONFIGDIR"], os.environ["TMPDIR"]) == ("/elsewhere", str(tmp_path))


def test_a_cache_that_cannot_be_made_is_not_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "file" / "cache"))
    settle_folders()
    assert not set(FOLDERS) & set(os.environ)


def test_without_a_place_for_temporary_files_it_is_the_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(library_caches, "_SYSTEMS", (str(tmp_path / "none"),))
    with pytest.raises(RunError, match="temporary files"):
        temporary_place()
    settle_folders()
    assert os.environ["TMPDIR"] == str(tmp_path / "cache" / "tmp")
    assert (tmp_path / "cache" / "tmp").is_dir()
    temporary_place()


def test_without_any_place_nothing_is_chosen(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(library_caches, "_SYSTEMS", ())
    settle_folders()
    assert "TMPDIR" not in os.environ
    with pytest.raises(RunError, match="temporary files"):
        temporary_place()


@pytest.mark.parametrize("named", [None, "~/cache"])
def test_a_user_without_a_home_has_a_cache_that_is_told(monkeypatch, named):
    def nowhere(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CLF_CACHE_DIR")
    if named is not None:
        monkeypatch.setenv("CLF_CACHE_DIR", named)
    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert cache_dir() == Path("/.cache/clf")
