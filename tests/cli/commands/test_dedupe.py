"""clf dedupe keeps one copy of each, in a new manifest, and no data change."""

import json
from pathlib import Path

import pytest

from clf_cli.data.layout import read_layout
from tests.copies import copy, draw_texture, near_copy


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = Path("pets")
    lines = []
    for number, label in enumerate(("cat", "cat", "dog", "dog")):
        draw_texture(root / f"{number}.png", number)
        lines.append({"image": f"{number}.png", "suffix": label, "game": number})
    copy(root / "0.png", root / "again.png")
    near_copy(root / "2.png", root / "small.jpg", side=24)
    copy(root / "1.png", root / "conflict.png")
    lines += [
        {"image": "again.png", "suffix": "cat"},
        {"image": "small.jpg", "suffix": "dog"},
        {"image": "conflict.png", "suffix": "dog"},
        {"image": "3.png", "suffix": "dog"},
    ]
    (root / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return root


def test_copies_go_and_keys_stay(data, clf):
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    done = clf("dedupe", data / "all.jsonl", "--out", "one.jsonl", "--json")
    assert done.code == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert {row["path"]: row["kept"] for row in result["dropped"]} == {
        "again.png": "0.png",
        "small.jpg": "2.png",
        "3.png": "3.png",
    }
    assert "is nearly 2.png, which is larger" in {row["path"]: row["reason"] for row in result["dropped"]}["small.jpg"]
    assert [[row["path"] for row in rows] for rows in result["conflicts"]] == [["1.png", "conflict.png"]]
    listing = read_layout(Path("one.jsonl"))
    assert [row.path for row in listing.samples] == ["0.png", "1.png", "2.png", "3.png", "conflict.png"]
    assert listing.samples[2].metadata == {"game": 2}
    assert {row.label for row in listing.samples} == {"cat", "dog"}
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_exact_copies_alone(data, clf):
    done = clf("dedupe", data / "all.jsonl", "--no-near-duplicates", "--json")
    result = json.loads(done.stdout)["result"]
    assert [row["path"] for row in result["dropped"]] == ["again.png", "3.png"]
    assert result["file"] is None


def test_the_table(data, clf):
    done = clf("dedupe", data / "all.jsonl")
    assert "5 rows kept, 3 dropped" in done.stdout
    assert "clf clean --drop conflict" in done.stdout
    assert "Nothing is written without --out" in done.stdout


def test_a_line_that_cannot_be_carried_over_is_refused(data, clf):
    with (data / "all.jsonl").open("a") as file:
        file.write("{\n")
    done = clf("dedupe", data / "all.jsonl", "--out", "one.jsonl")
    assert done.code == 3
    assert "all.jsonl:9" in done.stderr
    assert not Path("one.jsonl").exists()


def test_only_its_own_file_is_written_again(data, clf):
    manifest = data / "all.jsonl"
    for _ in range(2):
        assert clf("dedupe", manifest, "--out", "x/one.jsonl").code == 0
    assert clf("dedupe", manifest, "--out", manifest).code == 2
    assert clf("dedupe", "x/one.jsonl", "--out", data / "one.jsonl").code == 2
    done = clf("clean", manifest, "--out", "x/one.jsonl", "--drop", "quality")
    assert done.code == 2
    assert "clf clean did not write it" in done.stderr


def test_an_empty_name_is_not_the_current_folder(data, clf):
    done = clf("dedupe", "")
    assert (done.code, done.stdout) == (2, "")
    assert "DATA is empty" in done.stderr
