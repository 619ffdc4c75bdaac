"""clf split on real files: nothing leaks, nothing moves, nothing is written into the data."""

import json
from pathlib import Path

import pytest

from clf_cli.data.dataset import load_dataset
from clf_cli.settings.sections import DataSection
from tests.copies import copy, draw_texture, near_copy

LABELS = ("cat", "dog")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes in folders; of the first images of each there is a copy, and one that is nearly the same."""
    monkeypatch.chdir(tmp_path)
    for number in range(24):
        draw_texture(Path("pets") / LABELS[number % 2] / f"{number:02d}.png", number)
    for label, number in zip(LABELS, ("00", "01"), strict=True):
        copy(Path(f"pets/{label}/{number}.png"), Path(f"pets/{label}/again.png"))
        near_copy(Path(f"pets/{label}/{number}.png"), Path(f"pets/{label}/nearly.jpg"))
    return Path("pets")


@pytest.fixture
def leaking(data: Path) -> Path:
    """The same in train and val, with one leak of bytes and one of pixels."""
    for path in sorted(data.rglob("*.*")):
        split = "val" if path.name in ("again.png", "nearly.jpg", "08.png", "09.png") else "train"
        target = Path("split_pets") / split / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    Path("split_pets/val/cat/again.png").unlink()
    Path("split_pets/val/dog/nearly.jpg").unlink()
    return Path("split_pets")


def told(done) -> dict:
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)["result"]


def splits_of(manifest: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in manifest.read_text().splitlines()[1:]]
    return {row["image"]: row["split"] for row in rows}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_manifest_is_data_for_every_command(data, clf):
    before = contents(data)
    report = told(clf("split", data, "--out", "out/split.jsonl", "--val-fraction", "0.4", "--json"))
    splits = splits_of(Path("out/split.jsonl"))
    assert report["files"] == ["out/split.jsonl"]
    assert report["parts"] == {part: list(splits.values()).count(part) for part in ("train", "val")}
    assert json.loads(Path("out/split.jsonl").read_text().splitlines()[0])["root"] == "../pets"
    for label, number in zip(LABELS, ("00", "01"), strict=True):
        assert len({splits[f"{label}/{name}"] for name in (f"{number}.png", "again.png", "nearly.jpg")}) == 1
    assert report["tied"] == {"clusters": 2, "images": 6}
    dataset = load_dataset(DataSection(root=Path("out/split.jsonl")), seed=5)
    assert {row.path: row.split for row in dataset.samples} == splits
    assert clf("split", "out/split.jsonl", "--check").code == 0
    assert clf("inspect-dataset", "out/split.jsonl", "--fail-on", "error,leak").code == 0
    assert contents(data) == before


def test_without_out_nothing_is_written(data, clf, tmp_path):
    before = contents(tmp_path)
    done = clf("split", data)
    assert done.code == 0
    assert "Nothing is written without --out" in done.stdout
    assert "Next:" not in done.stderr
    assert contents(tmp_path) == before


def test_an_existing_out_is_continued(data, clf):
    assert clf("split", data, "--out", "split.jsonl").code == 0
    before = splits_of(Path("split.jsonl"))
    for number in range(50, 60):
        draw_texture(data / "cat" / f"{number}.png", number)
    (data / "dog/03.png").unlink()
    assert told(clf("split", data, "--out", "split.jsonl", "--json"))["moved"] == []
    after = splits_of(Path("split.jsonl"))
    assert {path: split for path, split in after.items() if path in before} == {
        path: split for path, split in before.items() if path != "dog/03.png"
    }
    assert len(after) == len(before) + 9
    done = clf("split", data, "--out", "split.jsonl", "--seed", "1")
    assert done.code == 2
    assert "seed 0, not 1" in done.stderr
    assert splits_of(Path("split.jsonl")) == after
    assert clf("split", data, "--out", "split.jsonl", "--seed", "1", "--previous", "split.jsonl").code == 0
    assert splits_of(Path("split.jsonl")) == after


def test_own_splits_are_checked_and_mended(leaking, clf):
    done = clf("split", leaking, "--check", "--json")
    assert done.code == 1
    leaks = json.loads(done.stdout)["result"]["leaks"]
    assert sorted((leak["splits"], leak["reason"].split()[1:4]) for leak in leaks) == [
        (["train", "val"], ["holds", "the", "same"]),
        (["train", "val"], ["is", "nearly", "val/cat/nearly.jpg"]),
    ]
    assert "leaks between its splits" in done.stderr
    grouped = clf("split", leaking, "--check", "--group-by", "path:^train/(.)")
    assert f"clf split {leaking} --group-by 'path:^train/(.)' --out FILE" in grouped.stderr
    assert (
        len(json.loads(clf("split", leaking, "--check", "--no-near-duplicates", "--json").stdout)["result"]["leaks"])
        == 1
    )
    report = told(clf("split", leaking, "--out", "mended.jsonl", "--json"))
    assert sorted(row["path"] for row in report["moved"]) == ["val/cat/nearly.jpg", "val/dog/again.png"]
    assert {(row["from"], row["to"]) for row in report["moved"]} == {("val", "train")}
    assert clf("split", "mended.jsonl", "--check").code == 0


def test_shares_without_effect_are_said(leaking, clf):
    done = clf("split", leaking, "--val-fraction", "0.3", "--test-fraction", "0.1")
    assert done.code == 0
    assert "--val-fraction is not used" in done.stderr
    assert "--test-fraction is not used" in done.stderr
    redrawn = clf("split", leaking, "--val-fraction", "0.3", "--test-fraction", "0.1", "--redraw")
    assert "is not used" not in redrawn.stderr


def test_rows_that_cannot_be_read_pass_no_check(data, clf):
    rows = [{"image": f"{path.parent.name}/{path.name}", "label": path.parent.name} for path in data.glob("*/0*.png")]
    lines = [json.dumps({**row, "split": ("train", "val")[i % 2]}) for i, row in enumerate(rows)]
    Path("pets/all.jsonl").write_text("\n".join([*lines, "{broken"]))
    done = clf("split", "pets/all.jsonl", "--check")
    assert (done.code, done.stdout) == (3, "")
    assert f"all.jsonl:{len(lines) + 1}" in done.stderr


def test_folds_are_a_manifest_each(data, clf):
    report = told(clf("split", data, "--out", "cv.jsonl", "--folds", "3", "--json"))
    files = [Path(f"cv-{number}.jsonl") for number in (1, 2, 3)]
    assert report["files"] == [file.as_posix() for file in files]
    validated = [path for file in files for path, split in splits_of(file).items() if split == "val"]
    assert sorted(validated) == sorted(splits_of(files[0]))
    for more, why in (((), "--stratify shares"), (("--stratify",), "there are too few")):
        assert f"of 100 folds: {why}" in clf("split", data, "--folds", "100", *more).stderr
    draw_texture(data / "cat/new.png", 99)
    assert told(clf("split", data, "--out", "cv.jsonl", "--folds", "3", "--json"))["moved"] == []
    hints = clf("split", data, "--out", "cv.jsonl", "--folds", "3").stderr
    assert "Next: clf train --data cv-1.jsonl" in hints
    assert f"clf inspect-dataset {data} --model RUN --model RUN" in hints
    done = clf("split", data, "--out", "cv.jsonl", "--folds", "2")
    assert done.code == 2
    assert "folds 3, not 2" in done.stderr


def test_groups_by_a_pattern_of_the_path(data, clf):
    assert clf("split", data, "--out", "split.jsonl", "--group-by", r"path:/(\d)\d", "--val-fraction", "0.5").code == 0
    splits = splits_of(Path("split.jsonl"))
    for tens in "012":
        assert len({split for path, split in splits.items() if path.split("/")[1][0] == tens}) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("split",), 2, "clf split DIR"),
        (("split", "pets", "--check"), 2, "no splits to check"),
        (("split", "pets", "--check", "--out", "x.jsonl"), 2, "--out has no effect with --check"),
        (("split", "pets", "--check", "--folds", "3"), 2, "--folds has no effect with --check"),
        (("split", "pets", "--check", "--stratify"), 2, "--stratify has no effect with --check"),
        (("split", "pets", "--folds", "3", "--val-fraction", "0.3"), 2, "--val-fraction has no effect with --folds"),
        (("split", "pets", "--folds", "1"), 2, "folds"),
        (("split", "pets", "--out", "pets/split.jsonl"), 2, "nothing is ever written into one"),
        (("split", "pets", "--out", "split.csv"), 2, "ends in .jsonl"),
        (("split", "pets", "--group-by", "camera"), 2, "no keys but their label"),
        (("split", "nowhere"), 3, "nowhere"),
        (("split", "pets", "--previous", "nowhere.jsonl"), 3, "No earlier split nowhere.jsonl"),
        (("split", "pets", "--previous", "cv.jsonl", "--folds", "2"), 3, "No earlier split cv-1.jsonl"),
    ],
)
def test_mistakes(data, clf, arguments, code, message):
    done = clf(*arguments)
    assert done.code == code, done.stderr
    assert message in done.stderr
    assert done.stdout == ""


def test_data_that_training_refuses_are_refused(data, clf):
    (data / "cat/broken.png").write_bytes(b"nothing")
    done = clf("split", data, "--out", "split.jsonl")
    assert done.code == 3
    assert "cat/broken.png" in done.stderr
    assert not Path("split.jsonl").exists()
    report = told(clf("split", data, "--out", "split.jsonl", "--on-bad-image", "skip", "--json"))
    assert [row["path"] for row in report["left_out"]] == ["cat/broken.png"]
    assert "cat/broken.png" not in splits_of(Path("split.jsonl"))


def test_a_class_that_cannot_be_split_is_said(data, clf):
    draw_texture(data / "rare" / "0.png", 77)
    for seed in range(6):
        done = clf("split", data, "--val-fraction", "0.9", "--seed", seed, "--json")
        findings = json.loads(done.stdout)["findings"]
        if findings:
            assert findings[0]["category"] == "balance"
            assert "all in train: rare" in done.stderr
            return
    pytest.fail("nine images of ten validate, and the only one of a class was never drawn")


def test_no_other_command_writes_into_the_data_of_a_manifest(data, clf):
    assert clf("split", data, "--out", "split.jsonl").code == 0
    done = clf("inspect-dataset", "split.jsonl", "--sarif", data / "found.sarif")
    assert done.code == 2
    assert "nothing is ever written into one" in done.stderr
