"""A second name of a file: at once or not at all, and a copy where there are no hard links."""

import os
from pathlib import Path

import pytest

from clf_cli.errors import RunError
from clf_cli.files import keeping, write_text
from clf_cli.training.second_name import copy_into_place, link_into_place


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_second_name_takes_the_place_of_another_file_which_keeps_its_own_readers(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    with old.open() as reader:
        assert link_into_place(new, old)
        assert reader.read() == "old"
    assert old.samefile(new)
    assert content(tmp_path) == {"new": "new", "old": "new"}


def test_a_second_name_that_is_there_stays_and_what_replaces_one_name_leaves_the_other(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("old")
    assert link_into_place(file, other)
    assert link_into_place(file, other)
    write_text(file, "new")
    assert content(tmp_path) == {"file": "new", "other": "old"}


@pytest.mark.parametrize("call", ["link", "replace"])
def test_where_a_second_name_cannot_be_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    monkeypatch.setattr(os, call, refuse)
    assert not link_into_place(new, old)
    monkeypatch.undo()
    assert content(tmp_path) == {"new": "new", "old": "old"}


def test_without_hard_links_it_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, other = tmp_path / "file", tmp_path / "folder" / "other"
    file.write_text("content")
    monkeypatch.setattr(os, "link", refuse)
    copy_into_place(file, other)
    assert content(other.parent) == {"other": "content"}
    assert not file.samefile(other)


def test_nothing_is_named_in_a_run_that_is_gone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "file").write_text("content")
    with keeping(run):
        run.rename(tmp_path / "moved")
        with pytest.raises(RunError, match="is gone"):
            copy_into_place(tmp_path / "moved" / "file", run / "other")
    assert content(tmp_path / "moved") == {"file": "content"}
