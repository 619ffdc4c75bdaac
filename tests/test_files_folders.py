"""Several files that take their places together: temporary folders and moves."""

import subprocess
import sys

import pytest

from clf_cli.errors import RunError
from clf_cli.files import TEMP_SUFFIX, move_into_place, sweep_leftovers, temporary_folder


def test_a_temporary_folder_is_beside_and_goes_away(tmp_path):
    with pytest.raises(ValueError, match="stop"), temporary_folder(tmp_path / "new" / "model.onnx") as folder:  # noqa: PT012 - the folder must go away when its block fails
        (folder / "draft").write_text("x")
        assert folder.parent == tmp_path / "new"
        raise ValueError("stop")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(RunError, match="taken"), temporary_folder(tmp_path / "taken" / "model.onnx"):
        pass


def test_files_and_folders_take_a_place(tmp_path):
    with temporary_folder(tmp_path / "x") as folder:
        for name in ("file", "folder/inner"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("new")
        for name in ("file", "folder"):
            move_into_place(folder / name, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder" / "stale").write_text("old")
    with temporary_folder(tmp_path / "x") as folder:
        (folder / "folder").mkdir()
        (folder / "folder" / "inner").write_text("newer")
        (folder / "file").write_text("newer")
        for name in ("file", "folder"):
            move_into_place(folder / name, tmp_path / name)
    assert (tmp_path / "file").read_text() == "newer"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["inner"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_file_does_not_take_a_folders_place(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "kept").write_text("x")
    (tmp_path / "source").write_text("new")
    with pytest.raises(RunError, match="target"):
        move_into_place(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target" / "kept").exists()


def test_sweep_removes_files_and_folders_of_killed_writers(tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / f".model.onnx.a{TEMP_SUFFIX}").mkdir()
    (tmp_path / "export" / f".model.onnx.a{TEMP_SUFFIX}" / "model.onnx").write_text("x")
    (tmp_path / f".last.ckpt.b{TEMP_SUFFIX}").write_text("x")
    (tmp_path / "last.ckpt").write_text("x")
    assert sweep_leftovers(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["export", "last.ckpt"]


def test_a_folder_that_a_killed_process_left_goes_with_the_next_one(tmp_path):
    """That of a process that lives stays, and so does that of another file."""
    program = (
        "import os, sys; from pathlib import Path; from clf_cli.files import temporary_folder\n"
        "with temporary_folder(Path(sys.argv[1])) as folder: (folder / 'half').touch(); os._exit(0)"
    )
    for name in ("model.onnx", "other.onnx"):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True, timeout=60)
    assert len(left(tmp_path, "model.onnx")) == len(left(tmp_path, "other.onnx")) == 1
    with temporary_folder(tmp_path / "model.onnx") as first:
        assert left(tmp_path, "model.onnx") == [first]
        with temporary_folder(tmp_path / "model.onnx") as second:
            assert sorted(left(tmp_path, "model.onnx")) == sorted([first, second])
    assert left(tmp_path, "model.onnx") == []
    assert len(left(tmp_path, "other.onnx")) == 1


def left(folder, name):
    return list(folder.glob(f".{name}.*{TEMP_SUFFIX}"))
