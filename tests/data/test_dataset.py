"""The data set as training and scoring see it, and every way in which data can be wrong."""

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data.dataset import load_dataset, load_run_dataset, splits_csv, survey_dataset, write_splits
from clf_cli.data.written_manifests import write_manifest
from clf_cli.errors import ClfError, DataError, ModelError, UsageError
from clf_cli.settings.resolved import to_toml
from clf_cli.settings.root import Settings
from clf_cli.settings.sections import DataSection
from clf_cli.values.labels import Labels
from clf_cli.values.run_dir import RunDir


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


class Drawer:
    """Draws images that all differ."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.drawn = 0

    def __call__(self, *names: str) -> "Drawer":
        for name in names:
            self.drawn += 1
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6), (self.drawn % 256, self.drawn // 256, 9)).save(self.root / name)
        return self

    def copy(self, old: str, new: str) -> None:
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / new).write_bytes((self.root / old).read_bytes())

    def rows(self, name: str, *rows: dict[str, object]) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def draw(tmp_path: Path) -> Drawer:
    (tmp_path / "data").mkdir()
    return Drawer(tmp_path / "data")


@pytest.fixture
def split_set(draw: Drawer) -> Drawer:
    names = [f"{s}/{c}/{i}.png" for s in ("train", "val", "test") for c in ("cat", "dog") for i in range(3)]
    return draw(*names)


def load(root: Path, **settings):
    return load_dataset(DataSection(root=root, **settings), seed=0, workers=2)


def refused(root: Path, **settings) -> DataError:
    with pytest.raises(DataError) as error:
        load(root, **settings)
    assert error.value.exit_code == 3
    assert error.value.hint
    return error.value


def test_a_set_with_splits(split_set):
    dataset = load(split_set.root)
    assert dataset.labels.names == ("cat", "dog")
    assert [len(dataset.split(name)) for name in ("train", "val", "test", "all")] == [6, 6, 6, 18]
    assert dataset.has_splits
    assert dataset.notes == dataset.findings == dataset.skipped == ()
    assert [sample.path for sample in dataset.samples][:2] == ["train/cat/0.png", "train/cat/1.png"]
    assert dataset.split("val")[0].source == "val/cat"


def test_labels_are_those_of_train_in_code_point_order(draw):
    labels = ("b", "", "00", "0", "é", "B", "a")
    draw(*(f"{i}.png" for i in range(len(labels))))
    draw.rows("train.jsonl", *({"image": f"{i}.png", "label": label} for i, label in enumerate(labels)))
    assert load(draw.root, val_fraction=0).labels.names == ("", "0", "00", "B", "a", "b", "é")


def test_the_fingerprint_is_of_names_labels_splits_and_bytes(split_set, tmp_path):
    before = load(split_set.root).fingerprint
    assert before.startswith("sha256:")
    for number in (1, 2):
        copy = tmp_path / f"copy{number}"
        for path in sorted(split_set.root.rglob("*.png"), reverse=True):
            target = copy / path.relative_to(split_set.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert load(tmp_path / "copy1").fingerprint == before
    (tmp_path / "copy1/val/cat/0.png").rename(tmp_path / "copy1/val/dog/9.png")
    assert load(tmp_path / "copy1").fingerprint != before
    Image.new("RGB", (8, 6), (250, 250, 250)).save(tmp_path / "copy2/val/cat/0.png")
    assert load(tmp_path / "copy2").fingerprint != before


def test_folders_without_splits_are_split_by_content(draw):
    draw(*(f"{c}/{i}.png" for c in ("cat", "dog") for i in range(60)))
    dataset = load(draw.root, val_fraction=0.25, test_fraction=0.25)
    assert not dataset.has_splits
    counts = Counter(sample.split for sample in dataset.samples)
    assert set(counts) == {"train", "val", "test"}
    assert dataset.notes[0].startswith(f"Split by content hash: train {counts['train']} (")
    again = load(draw.root, val_fraction=0.25, test_fraction=0.25)
    assert again.samples == dataset.samples
    assert again.fingerprint == dataset.fingerprint
    assert load(draw.root, val_fraction=0).split("val") == ()


def test_train_and_test_only_takes_val_from_train(draw):
    draw(*(f"{s}/{c}/{i}.png" for s in ("train", "test") for c in ("cat", "dog") for i in range(30)))
    dataset = load(draw.root, val_fraction=0.3, test_fraction=0.3)
    assert {sample.path.partition("/")[0] for sample in dataset.split("val")} == {"train"}
    assert {sample.path.partition("/")[0] for sample in dataset.split("test")} == {"test"}
    assert len(dataset.split("test")) == 60
    assert "--test-fraction is not used: the data bring their own splits." in dataset.notes


def test_groups_and_copies_stay_on_one_side(draw):
    draw(*(f"{i}.png" for i in range(60)))
    for i in range(20):
        draw.copy(f"{i}.png", f"copy{i}.png")
    rows = [{"image": f"{i}.png", "label": "ab"[i % 2], "group": f"g{i // 6}"} for i in range(60)]
    draw.rows("all.jsonl", *rows, *({"image": f"copy{i}.png", "label": "ab"[i % 2]} for i in range(20)))
    dataset = load(draw.root / "all.jsonl", val_fraction=0.4)
    sides = {sample.path: sample.split for sample in dataset.samples}
    assert all(sides[f"{i}.png"] == sides[f"{i // 6 * 6}.png"] for i in range(60))
    assert all(sides[f"copy{i}.png"] == sides[f"{i}.png"] for i in range(20))
    assert set(sides.values()) == {"train", "val"}


def test_a_subset_keeps_val_and_every_class(draw):
    draw(*(f"train/cat/{i}.png" for i in range(40)), "train/dog/0.png", "val/cat/0.png", "val/dog/0.png")
    dataset = load(draw.root, subset=0.1)
    assert Counter(sample.label for sample in dataset.split("train")) == {"cat": 4, "dog": 1}
    assert len(dataset.split("val")) == 2
    assert "Subset: 5 of 41 train images." in dataset.notes
    assert load(draw.root, subset=0.1).samples == dataset.samples


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("kind", ["corrupt", "truncated", "zero"])
def test_an_unreadable_image_stops_or_is_left_out_and_counted(split_set, split, kind):
    path = split_set.root / split / "cat" / "1.png"
    whole = path.read_bytes()
    path.write_bytes({"corrupt": b"\x89PNG" + bytes(99), "truncated": whole[: len(whole) - 30], "zero": b""}[kind])
    error = refused(split_set.root)
    assert f"{split}/cat/1.png: " in error.message
    assert "--on-bad-image skip" in (error.hint or "")
    dataset = load(split_set.root, on_bad_image="skip")
    assert [(name, file.path) for name, file in dataset.skipped] == [(split, f"{split}/cat/1.png")]
    assert dataset.skipped_in(split)[0].reason in error.message
    assert len(dataset.split(split)) == 5
    assert f"Left out: 1 image (1 in {split})." in dataset.notes


def test_many_problems_are_listed_at_once_up_to_twenty(split_set):
    for i in range(30):
        (split_set.root / "train" / "cat" / f"bad{i:02}.jpg").touch()
    message = refused(split_set.root).message
    assert "30 problems" in message
    assert message.count("empty file") == 20
    assert message.endswith("and 10 more")


def test_problems_of_every_kind_come_in_one_list(draw):
    draw("a.png", "b.png")
    (draw.root / "broken.png").write_bytes(b"")
    draw.rows(
        "all.jsonl",
        {"image": "a.png", "label": "x"},
        {"image": "a.png", "label": "y"},
        {"image": "b.png", "label": 7},
        {"image": "../c.png", "label": "x"},
        {"image": "none.png", "label": "x"},
        {"image": "broken.png", "label": "x"},
    )
    error = refused(draw.root / "all.jsonl")
    for text in (
        "all.jsonl:3: the label is a number (7)",
        "all.jsonl:4: ../c.png leaves the data folder",
        "none.png: no such file (named in all.jsonl:5)",
        "broken.png: empty file (0 bytes) (named in all.jsonl:6)",
        '"x" in all.jsonl:1, "y" in all.jsonl:2',
    ):
        assert text in error.message
    for flag in ("--on-bad-image", "--on-label-conflict"):
        assert flag in (error.hint or "")


def test_links_out_of_the_folder_are_errors_under_every_policy(split_set, tmp_path):
    outside = tmp_path / "outside.png"
    Image.new("RGB", (4, 4)).save(outside)
    (split_set.root / "train" / "cat" / "link.png").symlink_to(outside)
    for policy in ("error", "skip"):
        error = refused(split_set.root, on_bad_image=policy)
        assert "train/cat/link.png: links out of the data folder" in error.message


def test_no_folder_no_image_one_class_no_train(draw, tmp_path):
    assert "No such folder" in refused(tmp_path / "none").message
    assert "No images" in refused(draw.root).message
    draw("train/cat/1.png")
    assert 'only one class in train, "cat"' in refused(draw.root).message
    (draw.root / "train").rename(draw.root / "val")
    assert "no image in train" in refused(draw.root).message
    with pytest.raises(UsageError) as error:
        load_dataset(DataSection(), 0)
    assert "CLF_DATA__ROOT" in (error.value.hint or "")


def test_nothing_readable_lists_why(draw):
    (draw.root / "train" / "cat").mkdir(parents=True)
    (draw.root / "train" / "cat" / "x.png").touch()
    assert "train/cat/x.png: empty file" in refused(draw.root, on_bad_image="skip").message


def test_a_manifest_of_bad_lines_only_lists_them(draw):
    (draw.root / "all.jsonl").write_text("{\n{\n")
    message = refused(draw.root / "all.jsonl").message
    assert "all.jsonl:1" in message
    assert "all.jsonl:2" in message


def test_a_class_folder_without_images_is_said_and_is_no_class(split_set):
    (split_set.root / "train" / "bird").mkdir()
    dataset = load(split_set.root)
    assert dataset.labels.names == ("cat", "dog")
    assert "train/bird: a class folder without images." in dataset.notes


def test_a_class_that_loses_every_train_image_is_said(split_set):
    for i in range(3):
        (split_set.root / "train" / "bird").mkdir(exist_ok=True)
        (split_set.root / "train" / "bird" / f"{i}.png").touch()
    dataset = load(split_set.root, on_bad_image="skip")
    assert dataset.labels.names == ("cat", "dog")
    assert any('class "bird" has no image left in train' in note for note in dataset.notes)


def test_a_class_that_train_lacks(split_set):
    split_set("val/bird/1.png", "val/bird/2.png", "test/bird/3.png")
    error = refused(split_set.root)
    assert 'class "bird" is not a class of train (images: 2 in val, 1 in test)' in error.message
    assert "--on-unknown-class skip" in (error.hint or "")
    dataset = load(split_set.root, on_unknown_class="skip")
    assert dataset.labels.names == ("cat", "dog")
    assert [len(dataset.skipped_in(split)) for split in ("train", "val", "test", "all")] == [0, 2, 1, 3]


def test_a_class_without_val_images_is_not_measured(split_set):
    split_set("train/bird/1.png", "test/bird/2.png")
    assert "Not measured, no val images: bird." in load(split_set.root).notes


@pytest.mark.parametrize("elsewhere", ["train/dog/same.png", "val/dog/same.png"])
def test_identical_bytes_under_two_labels(split_set, elsewhere):
    split_set.copy("train/cat/0.png", elsewhere)
    error = refused(split_set.root)
    assert f'"cat" in train/cat/0.png, "dog" in {elsewhere}' in error.message
    assert "--on-label-conflict" in (error.hint or "")
    kept = load(split_set.root, on_label_conflict="keep")
    assert len(kept.samples) == 19
    expected = ["conflict"] if elsewhere.startswith("train") else ["conflict", "leak"]
    assert [finding.category for finding in kept.findings] == expected
    dropped = load(split_set.root, on_label_conflict="drop")
    assert len(dropped.samples) == 17
    assert {file.path for _, file in dropped.skipped} == {"train/cat/0.png", elsewhere}
    assert all('"cat" and "dog"' in file.reason for _, file in dropped.skipped)


def test_rows_that_repeat_are_kept_and_counted(draw):
    draw("a.png", "b.png")
    row = {"image": "a.png", "label": "x"}
    draw.rows("train.jsonl", row, row, {"image": "b.png", "label": "y"})
    dataset = load(draw.root, val_fraction=0)
    assert len(dataset.split("train")) == 3
    assert "1 image more than once in a split: kept." in dataset.notes
    assert [(f.category, f.severity, f.path) for f in dataset.findings] == [("duplicate", "warning", "train.jsonl:1")]


def test_two_labels_in_a_manifest_are_told_by_the_files_or_by_the_lines_of_one(draw):
    draw("a.png", "b.png").copy("a.png", "c.png")
    rows = [("a.png", ""), ("b.png", "y"), ("c.png", "x"), ("b.png", "x")]
    draw.rows("train.jsonl", *({"image": image, "label": label} for image, label in rows))
    dataset = survey_dataset(DataSection(root=draw.root, val_fraction=0), 0)
    files, lines = (finding.reason for finding in dataset.findings if finding.code == "CLF301")
    assert files.endswith(': "(empty)" in a.png, "x" in c.png')
    assert lines.endswith(': "y" in train.jsonl:2, "x" in train.jsonl:4')


def test_copies_in_a_manifest_are_told_by_their_files(draw):
    draw("a.png", "b.png").copy("a.png", "c.png")
    draw.rows("train.jsonl", *({"image": f"{name}.png", "label": name.replace("c", "a")} for name in "abc"))
    (finding,) = load(draw.root, val_fraction=0).findings
    assert finding.places == ("train.jsonl:1", "train.jsonl:3")
    assert "a.png, c.png" in finding.reason


def test_images_in_two_splits_are_leaks(split_set):
    split_set.copy("train/cat/0.png", "val/cat/again.png")
    dataset = load(split_set.root)
    (leak,) = dataset.findings
    assert (leak.category, leak.severity) == ("leak", "warning")
    assert "train and val: also val/cat/again.png" in leak.reason
    assert "1 image in more than one split: scores on them are too good." in dataset.notes


def test_names_are_matched_never_positions(draw):
    draw("train/a/1.png", "train/b/2.png", "train/c/3.png", "val/c/4.png", "test/b/5.png")
    dataset = load(draw.root)
    assert dataset.labels.names == ("a", "b", "c")
    assert [sample.label for sample in dataset.split("val") + dataset.split("test")] == ["c", "b"]


def test_a_split_that_is_not_there(split_set):
    dataset = load(split_set.root)
    assert dataset.need("val") == dataset.split("val")
    with pytest.raises(DataError, match="no images in the split extra") as error:
        dataset.need("extra")
    assert "--split train" in (error.value.hint or "")


def test_the_data_folder_is_never_written(split_set):
    def tree() -> list[tuple[str, int, int]]:
        paths = sorted([split_set.root, *split_set.root.rglob("*")])
        return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]

    (split_set.root / "val/cat/0.png").write_bytes(b"")
    before = tree()
    load(split_set.root, on_bad_image="skip")
    survey_dataset(DataSection(root=split_set.root), 0)
    assert tree() == before


def test_an_unwritable_cache_is_a_note(split_set, monkeypatch, tmp_path):
    (tmp_path / "taken").touch()
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "taken"))
    assert any("CLF_CACHE_DIR" in note for note in load(split_set.root).notes)


@pytest.mark.skipif(os.name == "nt", reason="these names do not exist there")
def test_names_that_are_not_unicode_or_hold_control_characters(split_set):
    folder = os.fsencode(split_set.root / "train" / "cat")
    for name in (b"\xff.png", b"a\nb\x1b[31m.png"):
        with open(os.path.join(folder, name), "wb"):  # noqa: PTH118, PTH123 - a Path cannot hold these bytes
            pass
    message = refused(split_set.root).message
    assert "the name is not valid Unicode" in message
    assert "\x1b" not in message
    assert "a\\nb\\x1b[31m.png: empty file" in message


# --- a run's data --------------------------------------------------------------------------------------------------


def run_of(tmp_path: Path, dataset, section: DataSection) -> RunDir:
    run = RunDir(tmp_path / "run")
    run.root.mkdir()
    run.settings.write_text(to_toml(Settings(data=section), {}))
    write_splits(run.splits, dataset)
    return run


def trained(tmp_path: Path, root: Path, **settings):
    section = DataSection(root=root, **settings)
    dataset = load_dataset(section, seed=3)
    return dataset, run_of(tmp_path, dataset, section)


def test_splits_csv_quotes_what_needs_it(draw, tmp_path):
    draw("a,b.png", "c.png", 'd"e.png')
    labels = {"a,b.png": "", "c.png": "001", 'd"e.png': "x\ny"}
    draw.rows("train.jsonl", *({"image": image, "label": label} for image, label in labels.items()))
    dataset = load(draw.root, val_fraction=0)
    write_splits(tmp_path / "splits.csv", dataset)
    text = (tmp_path / "splits.csv").read_text()
    assert text.splitlines()[:3] == ["path,label,split", '"a,b.png","",train', "c.png,001,train"]
    with (tmp_path / "splits.csv").open(newline="") as file:
        assert [tuple(row) for row in csv.reader(file)][1:] == splits_csv(dataset)


@pytest.mark.parametrize("settings", [{}, {"subset": 0.5}, {"test_fraction": 0.3}])
def test_a_run_sees_its_own_split_again(draw, tmp_path, settings):
    draw(*(f"{c}/{i}.png" for c in ("cat", "dog") for i in range(30)))
    dataset, run = trained(tmp_path, draw.root, **settings)
    draw(*(f"cat/new{i}.png" for i in range(10)))
    again = load_run_dataset(run, DataSection(), dataset.labels)
    assert again.fingerprint == dataset.fingerprint
    assert [(s.path, s.label, s.split) for s in again.samples] == [(s.path, s.label, s.split) for s in dataset.samples]
    named = load_run_dataset(run, DataSection(root=draw.root), dataset.labels)
    assert named.fingerprint == dataset.fingerprint


def test_a_run_on_a_manifest_beside_the_data_sees_its_split_again(split_set, tmp_path):
    manifest = tmp_path / "split.jsonl"
    plain = load(split_set.root)
    write_manifest(manifest, split_set.root, plain.samples, {"by": "clf split"})
    dataset, run = trained(tmp_path, manifest)
    assert dataset.fingerprint == plain.fingerprint
    assert dataset.root == split_set.root.resolve()
    manifest.write_text(manifest.read_text().replace('"val"', '"test"'))  # the run knows its own split
    again = load_run_dataset(run, DataSection(), dataset.labels)
    assert again.fingerprint == dataset.fingerprint
    assert {row.path: row.split for row in again.samples} == {row.path: row.split for row in dataset.samples}
    manifest.unlink()
    with pytest.raises(DataError, match="are gone"):
        load_run_dataset(run, DataSection(), dataset.labels)


def test_what_training_left_out_is_left_out_and_counted_again(split_set, tmp_path):
    (split_set.root / "val/cat/0.png").write_bytes(b"")
    split_set("val/bird/1.png")
    split_set.copy("train/cat/0.png", "train/dog/same.png")
    policies = {"on_bad_image": "skip", "on_unknown_class": "skip", "on_label_conflict": "drop"}
    dataset, run = trained(tmp_path, split_set.root, **policies)
    again = load_run_dataset(run, DataSection(), dataset.labels)
    assert len(dataset.skipped) == 4
    assert [name for name, _ in again.skipped] == [name for name, _ in dataset.skipped]
    assert [file.path for _, file in again.skipped] == [file.path for _, file in dataset.skipped]
    assert again.fingerprint == dataset.fingerprint


def test_a_file_of_the_run_that_is_missing_now(split_set, tmp_path):
    dataset, run = trained(tmp_path, split_set.root)
    (split_set.root / "val/cat/0.png").unlink()
    with pytest.raises(DataError, match=r"val/cat/0\.png: no such file") as error:
        load_run_dataset(run, DataSection(), dataset.labels)
    assert error.value.exit_code == 3


def test_the_whole_folder_is_gone(split_set, tmp_path):
    dataset, run = trained(tmp_path, split_set.root)
    split_set.root.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="are gone") as error:
        load_run_dataset(run, DataSection(), dataset.labels)
    assert "--data" in (error.value.hint or "")
    assert (
        load_run_dataset(run, DataSection(root=tmp_path / "moved"), dataset.labels).fingerprint == dataset.fingerprint
    )


def test_other_data_keep_their_splits_and_the_models_classes(split_set, tmp_path):
    dataset, run = trained(tmp_path, split_set.root)
    other = Drawer(tmp_path / "other")("train/dog/1.png", "test/dog/2.png", "test/bird/3.png")
    with pytest.raises(DataError, match='"bird" is not a class of the model'):
        load_run_dataset(run, DataSection(root=other.root), dataset.labels)
    section = DataSection(root=other.root, on_unknown_class="skip")
    found = load_run_dataset(run, section, dataset.labels)
    assert found.labels == dataset.labels
    assert [sample.path for sample in found.split("test")] == ["test/dog/2.png"]
    assert found.split("val") == ()
    assert len(found.skipped_in("test")) == 1


def test_other_data_without_splits_are_used_whole(split_set, tmp_path):
    dataset, run = trained(tmp_path, split_set.root)
    other = Drawer(tmp_path / "other")("dog/1.png", "dog/2.png")
    for owner in (run, None):
        found = load_run_dataset(owner, DataSection(root=other.root), dataset.labels)
        assert len(found.split("val")) == len(found.split("all")) == 2
        assert found.split_name("val") == "all"
        assert not found.has_splits


def test_the_same_data_without_splits_in_another_folder_are_the_runs_own(tmp_path):
    """Their content tells; data that lack an image, have one more or another have a fingerprint of their own."""
    draw = Drawer(tmp_path / "flat")(*(f"{name}/{i}.png" for name in ("cat", "dog") for i in range(10)))
    dataset, run = trained(tmp_path, draw.root)
    draw.root.rename(tmp_path / "moved")

    def found(root, fingerprint=dataset.fingerprint):
        return load_run_dataset(run, DataSection(root=root), dataset.labels, fingerprint=fingerprint)

    moved = found(tmp_path / "moved")
    assert moved.fingerprint == dataset.fingerprint
    assert [(s.path, s.split) for s in moved.samples] == [(s.path, s.split) for s in dataset.samples]
    assert moved.split_name("val") == "val"
    assert found(tmp_path / "moved", "sha256:another").split_name("val") == "all"
    (tmp_path / "moved/cat/3.png").write_bytes((tmp_path / "moved/cat/4.png").read_bytes())
    assert found(tmp_path / "moved").split_name("val") == "all"
    (tmp_path / "moved/cat/3.png").unlink()
    assert found(tmp_path / "moved").split_name("val") == "all"
    run.splits.write_text("")
    assert found(tmp_path / "moved").split_name("val") == "all"


def test_a_model_outside_a_run_needs_data():
    with pytest.raises(UsageError):
        load_run_dataset(None, DataSection(), Labels(("a", "b")))


@pytest.mark.parametrize("text", ["", "a,b\n", "path,label,split\nx,y\n", "path,label,split\nx,y,dev\n", '"'])
def test_a_broken_splits_csv(split_set, tmp_path, text):
    dataset, run = trained(tmp_path, split_set.root)
    run.splits.write_text(text)
    with pytest.raises(ModelError, match=r"splits\.csv") as error:
        load_run_dataset(run, DataSection(), dataset.labels)
    assert isinstance(error.value, ClfError)
    assert error.value.exit_code == 4
