"""Data sets as no one should make them, through `clf inspect-dataset`: no hang, no crash, no markup that acts."""

import csv
import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.sound_data import photo, read_rows, sound_folders, sound_manifest, write_rows

MARKUP = (
    "<script>alert(1)<\u2215script>",
    "<img src=x onerror=alert(1)>",
    "[red]x[\u2215red]",
    "\x1b[31mred\x1b[0m",
    "=HYPERLINK(1)",
    "@SUM(A1)",
    '{"a": 1}',
    'a,b"c',
    "two\nlines",
    "\u202egnp",
    "&amp;",
    "%s %n {0}",
    "x" * 200,
)


@pytest.fixture
def looked_at(clf, tmp_path):
    """Runs the command with every output; what was written, by name, and all of it is sound."""

    def run(data, code):
        out = tmp_path / "out"
        files = ("--html", out / "a.html", "--sarif", out / "a.sarif", "--junit", out / "a.xml")
        done = clf("inspect-dataset", data, "--out", out, *files)
        assert done.code == code, done.stderr
        written = {path.name: path.read_bytes().decode() for path in out.iterdir() if path.suffix != ".png"}
        written |= {"stdout": done.stdout, "stderr": done.stderr}
        assert "Traceback" not in done.stderr
        assert all("\x1b" not in text for name, text in written.items() if name != "dataset.csv")
        json.loads(written["dataset.json"])
        json.loads(written["a.sarif"])
        ElementTree.fromstring(written["a.xml"])
        return written

    return run


def test_markup_in_labels_and_file_names_acts_nowhere(looked_at, tmp_path):
    data = sound_folders(tmp_path / "data")
    for seed, label in enumerate(MARKUP):
        (data / "train" / label).mkdir()
        photo(100 + seed, 64).save(data / "train" / label / f"{label[:40]}.png")
    written = looked_at(data, 0)
    assert "<img src=x" not in written["a.html"]
    assert not re.search(r"<script>alert", written["a.html"])
    assert "&lt;img src=x onerror=alert(1)&gt;" in written["a.html"]
    rows = list(csv.reader(written["dataset.csv"].splitlines()))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@"))]
    assert "[red]x[\u2215red]" in written["stdout"]
    assert "CLF602" in written["stdout"]


def test_what_json_can_hold_and_few_expect(looked_at, tmp_path):
    data = sound_manifest(tmp_path / "data")
    rows = read_rows(data)
    for index, row in enumerate(rows):
        row |= {"=1+1": "=1+1", "<b>\x1b[31m": "<img src=x onerror=alert(1)>", "\ud800": "\udfff", "": None}
        row |= {"huge": 10**400, "not": float("nan"), "endless": float("inf"), "mixed": [index, {"a": {}}][index % 2]}
    write_rows(data, rows)
    assert "<img src=x" not in looked_at(data, 0)["a.html"]


def test_names_that_are_no_text(looked_at, tmp_path):
    root = tmp_path / os.fsdecode(b"\xff\xfe")
    sound_folders(root)
    (root / "train" / "a" / "0.png").rename(root / "train" / "a" / os.fsdecode(b"\xff.png"))
    written = looked_at(root, 1)
    assert "train/a/\\udcff.png" in written["stdout"]


def test_files_that_are_none(looked_at, tmp_path):
    data = sound_folders(tmp_path / "data")
    folder = data / "train" / "a"
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(data / "val" / "a" / "pipe.jsonl")
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "out.png").symlink_to("/etc/passwd")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "around").symlink_to(folder)
    (folder / "page.jpg").write_text("<html>")
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(1 << 42)
    found = json.loads(looked_at(data, 1)["dataset.json"])["findings"]
    assert {Path(finding["path"]).name: finding["code"] for finding in found if finding["severity"] == "error"} == {
        "pipe.jsonl": "CLF205",
        "circle.png": "CLF105",
        "nowhere.png": "CLF101",
        "out.png": "CLF111",
        "zero.png": "CLF111",
        "pipe.png": "CLF105",
        "page.jpg": "CLF104",
        "sparse.png": "CLF106",
    }


def test_one_image(looked_at, tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    Image.new("RGB", (1, 1)).save(tmp_path / "data" / "a" / "0.png")
    written = looked_at(tmp_path / "data", 1)
    assert 'there is only one class in train, "a"' in written["stdout"]


def test_a_manifest_without_rows(clf, tmp_path):
    for name, text in (("a.jsonl", ""), ("b.jsonl", "\n\n \n"), ("c.csv", "image,label\n")):
        (tmp_path / name).write_text(text)
        done = clf("inspect-dataset", tmp_path / name)
        assert (done.code, done.stdout) == (3, "")
        assert f"{name} has no rows" in done.stderr


def test_rows_that_point_nowhere(clf, tmp_path):
    rows = [{"image": f"images/{index}.png", "label": str(index % 7)} for index in range(8_000)]
    write_rows(tmp_path / "all.jsonl", rows)
    done = clf("inspect-dataset", tmp_path / "all.jsonl")
    assert (done.code, done.stdout) == (3, "")
    assert "8000 problems" in done.stderr
    assert len(done.stderr.splitlines()) < 40
    for number, row in enumerate(rows[:12]):
        photo(number, 64).save(tmp_path / f"{number}.png")
        row["image"] = f"{number}.png"
    write_rows(tmp_path / "all.jsonl", rows)
    done = clf("inspect-dataset", tmp_path / "all.jsonl")
    assert done.code == 1
    assert "7,988" in done.stdout
    assert len(done.stdout.splitlines()) < 80
