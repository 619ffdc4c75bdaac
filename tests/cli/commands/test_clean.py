"""clf clean leaves out what findings name; what is left passes."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data.layout import read_layout
from tests.copies import copy, draw_texture


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders with splits, and one of each: an empty file, two labels, a class that train lacks, a flat image."""
    monkeypatch.chdir(tmp_path)
    root = Path("pets")
    for number in range(12):
        draw_texture(root / ("val" if number > 7 else "train") / ("cat", "dog")[number % 2] / f"{number}.png", number)
    (root / "train/cat/empty.png").touch()
    copy(root / "train/dog/1.png", root / "train/cat/same.png")
    draw_texture(root / "val/bird/0.png", 50)
    Image.new("RGB", (40, 40), "white").save(root / "train/dog/flat.png")
    return root


def told(done) -> dict:
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)["result"]


def test_errors_go_by_default_and_training_takes_the_rest(data, clf):
    assert clf("inspect-dataset", data).code == 1
    result = told(clf("clean", data, "--out", "clean.jsonl", "--json"))
    assert {row["path"]: row["codes"] for row in result["dropped"]} == {
        "train/cat/empty.png": ["CLF102"],
        "train/cat/same.png": ["CLF301"],
        "train/dog/1.png": ["CLF301"],
        "val/bird/0.png": ["CLF501"],
    }
    listing = read_layout(Path("clean.jsonl"))
    assert len(listing.samples) == result["kept"] == 12
    assert {row.split for row in listing.samples} == {"train", "val"}
    assert clf("inspect-dataset", "clean.jsonl").code == 0


def test_policies_of_a_settings_file_change_no_severity(data, clf):
    Path("clf.toml").write_text(
        '[data]\non_bad_image = "skip"\non_label_conflict = "drop"\non_unknown_class = "skip"\n'
    )
    assert len(told(clf("clean", data, "--json"))["dropped"]) == 4


def test_words_choose(data, clf):
    result = told(clf("clean", data, "--drop", "CLF102,quality", "--json"))
    assert result["drop"] == ["quality", "CLF102"]
    assert {"train/cat/empty.png", "train/dog/flat.png"} == {row["path"] for row in result["dropped"]}


def test_rows_of_a_file(data, clf):
    Path("seen.txt").write_text("\ufefftrain/dog/flat.png\r\n\ntrain/cat/0.png\n", encoding="utf-8")
    result = told(clf("clean", data, "--drop", "none", "--rows", "seen.txt", "--json"))
    assert [row["path"] for row in result["dropped"]] == ["train/cat/0.png", "train/dog/flat.png"]
    both = clf("clean", data, "--rows", "seen.txt")
    assert "6 dropped: error" in both.stdout
    assert "named by --rows: 2 rows" in both.stdout
    Path("seen.txt").write_text("dog/flat.png\n")
    wrong = clf("clean", data, "--rows", "seen.txt")
    assert wrong.code == 2
    assert "no row is at dog/flat.png" in wrong.stderr


def test_lines_that_are_no_rows_are_told(tmp_path, clf, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        draw_texture(Path("pets") / f"{number}.png", number)
    rows = [json.dumps({"image": f"{number}.png", "label": "ab"[number % 2]}) for number in range(4)]
    Path("pets/all.jsonl").write_text(
        "\n".join([*rows, '{"image": "0.png", "label": 7}', '{"image": "../x", "label": "a"}'])
    )
    result = told(clf("clean", "pets/all.jsonl", "--out", "clean.jsonl", "--json"))
    assert [(one["code"], one["path"]) for one in result["unread"]] == [
        ("CLF203", "all.jsonl:5"),
        ("CLF111", "all.jsonl:6"),
    ]
    assert result["kept"] == 4
    done = clf("clean", "pets/all.jsonl")
    assert "Not taken over, since they give no row: 2 places" in done.stdout
    assert "all.jsonl:6" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--drop", "unreadible"), 2, "did you mean unreadable"),
        (("--drop", "duplicate"), 2, "clf dedupe"),
        (("--drop", "none"), 2, "names nothing"),
        (("--rows", "nowhere.txt"), 2, "nowhere.txt cannot be read"),
        (("--rows", "/dev/zero"), 2, "/dev/zero has more than"),
        (("--out", "pets/clean.jsonl"), 2, "nothing is ever written into one"),
        (("--out", "clean.json"), 2, "ends in .jsonl"),
    ],
)
def test_mistakes(data, clf, arguments, code, message):
    done = clf("clean", data, *arguments)
    assert done.code == code
    assert message in done.stderr
    assert done.stdout == ""


def test_one_class_left_is_told(data, clf):
    for path in (data / "train/dog").glob("*.png"):
        (data / "train/cat" / f"again-{path.name}").write_bytes(path.read_bytes())
    done = clf("clean", data, "--json")
    assert 'nly the class "cat" is left in train' in done.stderr
    assert [one["category"] for one in json.loads(done.stdout)["findings"]] == ["classes"]
    assert "left in train" not in clf("clean", data, "--drop", "unreadable").stderr


def test_nothing_left_is_no_manifest(tmp_path, clf, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, label in enumerate("aabb"):
        path = Path("pets") / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (number * 60, 0, 0)).save(path)
    done = clf("clean", "pets", "--drop", "CLF705", "--out", "clean.jsonl")
    assert done.code == 3
    assert "No row of pets would be left" in done.stderr
    assert not Path("clean.jsonl").exists()
