"""clf inspect-dataset reports what is wrong instead of stopping at it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.__main__ import main


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("CLF_DATA__ROOT", raising=False)
    root = tmp_path / "data"
    for value, name in enumerate(("train/cat/0", "train/cat/1", "train/dog/0", "val/cat/0", "val/dog/0")):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (10, 20), value * 10).save(path)
    return root


def report(capfd, *arguments: str) -> tuple[int, dict]:
    code = main(["inspect-dataset", *arguments, "--json"])
    return code, json.loads(capfd.readouterr().out)


def test_a_sound_set(data, capfd):
    code, found = report(capfd, str(data))
    assert code == 0
    assert found["kind"] == "dataset"
    assert [f for f in found["findings"] if f["severity"] != "info"] == []
    assert found["data"]["images"] == 5


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may read everything")
@pytest.mark.parametrize("flag", [[], ["--data"]])
def test_data_that_may_not_be_read(data, flag):
    data.chmod(0)
    as_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*as_others, sys.executable, "-m", "clf_cli", "inspect-dataset", *flag, str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    data.chmod(0o755)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{data} cannot be read: Permission denied" in done.stderr
    assert "Check its permissions." in done.stderr


@pytest.mark.parametrize("way", ["argument", "flag", "variable", "file"])
def test_every_way_to_name_the_data(data, capfd, monkeypatch, way):
    arguments = {"argument": [str(data)], "flag": ["--data", str(data)]}.get(way, [])
    if way == "variable":
        monkeypatch.setenv("CLF_DATA__ROOT", str(data))
    if way == "file":
        Path("clf.toml").write_text(f"[data]\nroot = {json.dumps(str(data))}\n")
    code, found = report(capfd, *arguments)
    assert code == 0
    assert found["data"]["path"] == data.as_posix()


def test_no_data_named(data, capfd):
    assert main(["inspect-dataset"]) == 2
    error = capfd.readouterr().err
    for way in ("clf inspect-dataset DIR", "--data DIR", "CLF_DATA__ROOT", "clf.toml"):
        assert way in error


def test_data_named_twice(data, capfd):
    assert main(["inspect-dataset", str(data), "--data", str(data)]) == 2
    assert "twice" in capfd.readouterr().err


def test_problems_are_listed_below_the_table_and_exit_1(data, capfd):
    (data / "train/cat/zero.png").touch()
    (data / "train/cat/text.png").write_text("hello")
    (data / "val/dog/again.png").write_bytes((data / "train/dog/0.png").read_bytes())
    (data / "val/bird").mkdir()
    (data / "val/bird/0.png").write_bytes((data / "val/dog/0.png").read_bytes())
    assert main(["inspect-dataset", str(data)]) == 1
    out, error = capfd.readouterr()
    assert out.index("classes") < out.index("Findings")
    for text in ("train/cat/zero.png", "train/cat/text.png", '"bird"', "two labels", "train and val"):
        assert text in out
    assert "Training refuses it" in error
    assert "--on-bad-image skip" in error


def test_policies_turn_errors_into_warnings(data, capfd):
    (data / "train/cat/zero.png").touch()
    code, found = report(capfd, str(data), "--on-bad-image", "skip")
    assert code == 0
    assert [(f["category"], f["severity"]) for f in found["findings"] if f["severity"] != "info"] == [
        ("unreadable", "warning")
    ]
    assert found["data"]["skipped"] == 1


@pytest.mark.parametrize("content", [None, "nothing", "unreadable"])
def test_no_folder_or_no_image_is_exit_3(tmp_path, monkeypatch, capfd, content):
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))
    data = tmp_path / "data"
    if content:
        (data / "train" / "cat").mkdir(parents=True)
    if content == "unreadable":
        (data / "train" / "cat" / "x.jpg").touch()
    assert main(["inspect-dataset", str(data)]) == 3
    out, error = capfd.readouterr()
    assert out == ""
    assert "Error:" in error
    assert {None: "No such folder", "nothing": "No images", "unreadable": "empty file"}[content] in error


def test_a_second_look_reads_the_cache_unless_told_not_to(data, capfd):
    """A file that is spoilt under the same size and time is seen by reading it alone."""
    assert report(capfd, str(data))[0] == 0
    path = data / "train/cat/1.png"
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert report(capfd, str(data))[0] == 0
    assert report(capfd, str(data), "--no-scan-cache")[0] == 1
