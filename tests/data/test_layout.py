"""Each layout of docs/design.md 2.1 is told from the others, and gives the rows it says."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from clf_cli.data.layout import read_layout
from clf_cli.errors import DataError


def files(root: Path, *names: str, text: str = "") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def rows(*pairs: tuple[str, str]) -> str:
    return "".join(f'{{"image": "{image}", "label": "{label}"}}\n' for image, label in pairs)


def seen(root: Path) -> list[tuple[str, str, str | None]]:
    return [(sample.path, sample.label, sample.split) for sample in read_layout(root).samples]


def errors(root: Path) -> list[str]:
    return [str(finding) for finding in read_layout(root).findings if finding.severity == "error"]


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Valid"])
def test_split_folders(tmp_path, val):
    files(tmp_path, "train/cat/1.jpg", "train/dog/2.PNG", f"{val}/cat/3.webp", "test/dog/deep/4.jpeg", "README.md")
    listing = read_layout(tmp_path)
    assert listing.splits == ("train", "val", "test")
    assert seen(tmp_path) == [
        ("train/cat/1.jpg", "cat", "train"),
        ("train/dog/2.PNG", "dog", "train"),
        (f"{val}/cat/3.webp", "cat", "val"),
        ("test/dog/deep/4.jpeg", "dog", "test"),
    ]


def test_class_folders(tmp_path):
    files(tmp_path, "cat/1.jpg", "dog/2.jpg", "dog/notes.txt", "Zebra/3.jpg")
    assert read_layout(tmp_path).splits == ()
    assert [label for _, label, _ in seen(tmp_path)] == ["Zebra", "cat", "dog"]


def test_a_class_called_train_is_a_class(tmp_path):
    files(tmp_path, "train/1.jpg", "bus/2.jpg")
    assert seen(tmp_path) == [("bus/2.jpg", "bus", None), ("train/1.jpg", "train", None)]


def test_json_lines_in_split_folders_are_merged_and_win_over_folders(tmp_path):
    files(tmp_path, "train/7/not-listed.jpg", "valid/b.jpg")
    files(tmp_path, "train/a.jsonl", text=rows(("a.jpg", "7")))
    files(tmp_path, "train/more/b.jsonl", text=rows(("c.jpg", "8")))
    files(tmp_path, "valid/a.jsonl", text=rows(("b.jpg", "7")))
    assert seen(tmp_path) == [
        ("train/a.jpg", "7", "train"),
        ("train/more/c.jpg", "8", "train"),
        ("valid/b.jpg", "7", "val"),
    ]


def test_top_manifests(tmp_path):
    files(tmp_path, "train.jsonl", text=rows(("images/a.jpg", "x")))
    files(tmp_path, "validation.csv", text="image,label\nimages/b.jpg,y\n")
    assert seen(tmp_path) == [("images/a.jpg", "x", "train"), ("images/b.jpg", "y", "val")]


def test_images_that_a_manifest_names_are_not_told_as_outside_the_splits(tmp_path):
    files(tmp_path, "train.jsonl", text=rows(("images/a.jpg", "x"), ("./images/b.jpg", "y")))
    files(tmp_path, "images/a.jpg", "images/b.jpg")
    assert read_layout(tmp_path).notes == ()
    files(tmp_path, "images/c.jpg")
    assert read_layout(tmp_path).notes == ("Outside the splits, not read: 1 image in images.",)


def test_one_manifest_with_and_without_splits(tmp_path):
    files(tmp_path, "all.jsonl", text=rows(("a.jpg", "x")))
    files(tmp_path, "split.csv", text="image,label,split\na.jpg,x,train\nb.jpg,y,valid\n")
    files(tmp_path, "half.csv", text="image,label,split\na.jpg,x,train\nb.jpg,y,\n")
    assert read_layout(tmp_path / "all.jsonl").splits == ()
    assert read_layout(tmp_path / "split.csv").splits == ("train", "val")
    assert errors(tmp_path / "half.csv") == ["half.csv:3: no split, though other rows have one"]


@pytest.mark.parametrize("other", ["train.csv", "train/cat.jsonl"])
def test_two_manifests_for_a_split(tmp_path, other):
    files(tmp_path, "train.jsonl", text=rows(("a.jpg", "x")))
    files(tmp_path, other, text="image,label\na.jpg,x\n" if other.endswith(".csv") else rows(("a.jpg", "x")))
    (error,) = errors(tmp_path)
    assert "train.jsonl" in error
    assert other.partition("/")[0] in error
    assert "more than one source for the split train" in error


def test_two_folders_for_a_split(tmp_path):
    files(tmp_path, "train/a/1.jpg", "val/a/1.jpg", "valid/a/2.jpg")
    assert errors(tmp_path) == ["val: more than one source for the split val: also valid"]


def test_litter_is_counted_and_folders_beside_the_splits_are_said_once(tmp_path):
    files(tmp_path, "train/a/1.jpg", "train/a/.DS_Store", "train/a/._1.jpg", "train/a/Thumbs.db", ".git/x.jpg")
    files(tmp_path, "extras/more/2.jpg", "extras/3.jpg", "other/4.jpg")
    listing = read_layout(tmp_path)
    assert [sample.path for sample in listing.samples] == ["train/a/1.jpg"]
    assert listing.notes == ("Outside the splits, not read: 3 images in extras, other.",)
    assert [(f.code, f.severity, f.path, f.count) for f in listing.findings] == [
        ("CLF208", "info", "extras", 2),
        ("CLF208", "info", "other", 1),
        ("CLF801", "info", "", 4),
    ]


@pytest.mark.parametrize("split", ["", "train/"])
def test_manifests_that_class_folders_win_against_are_said(tmp_path, split):
    files(tmp_path, f"{split}cat/1.jpg", f"{split}dog/2.jpg")
    files(tmp_path, "labels.jsonl", "images.csv", text=rows(("cat/1.jpg", "x")))
    listing = read_layout(tmp_path)
    assert listing.notes == ("Manifest not read: images.csv and 1 more.",)
    (finding,) = listing.findings
    assert (finding.code, finding.path, finding.others, finding.count) == ("CLF209", "images.csv", ("labels.jsonl",), 2)
    assert finding.severity == "info"


def test_a_manifest_in_a_class_folder_is_said(tmp_path):
    files(tmp_path, "images/1.jpg", "images/2.jpg")
    files(tmp_path, "images/labels.jsonl", text=rows(("1.jpg", "x")))
    assert codes(tmp_path)["CLF209"] == ["images/labels.jsonl"]


def test_an_empty_class_and_loose_images_are_said(tmp_path):
    files(tmp_path, "train/a/1.jpg", "train/loose.jpg")
    (tmp_path / "train" / "nothing").mkdir()
    found = {finding.path: (finding.severity, finding.reason) for finding in read_layout(tmp_path).findings}
    assert found["train/nothing"] == ("warning", "a class folder without images")
    assert found["train"] == ("warning", "images in no class folder, not read: 1 (loose.jpg)")
    files(tmp_path, *(f"train/{name}.jpg" for name in "abcd"))
    (many,) = (finding for finding in read_layout(tmp_path).findings if finding.code == "CLF605")
    assert (many.count, many.reason.partition(": ")[2]) == (5, "5 (a.jpg, b.jpg, c.jpg, ...)")


def test_links_inside_are_followed_once_and_links_out_are_errors(tmp_path):
    data, other = tmp_path / "data", files(tmp_path / "other", "x.jpg")
    files(data, "a/1.jpg", "store/b/2.jpg")
    (data / "a" / "loop").symlink_to(data / "a")
    (data / "a" / "more").symlink_to(data / "store")
    (data / "a" / "out").symlink_to(other)
    listing = read_layout(data)
    assert Counter(sample.label for sample in listing.samples) == {"a": 2, "store": 1}
    assert [str(f) for f in listing.findings] == ["a/out: links out of the data folder"]


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="No such folder or manifest") as missing:
        read_layout(tmp_path / "none")
    assert missing.value.exit_code == 3
    assert "DIR/train/<class>" in (missing.value.hint or "")
    with pytest.raises(DataError, match="null is a pipe, socket or device"):
        read_layout(Path(os.devnull))
    with pytest.raises(DataError, match="No images in"):
        read_layout(tmp_path)
    with pytest.raises(DataError, match=r"neither \.jsonl nor \.csv"):
        read_layout(files(tmp_path, "labels.txt") / "labels.txt")


@pytest.mark.parametrize("address", ["https://host/data.zip", "s3://bucket/data"])
@pytest.mark.parametrize("absolute", [False, True])
def test_an_address_is_named_also_where_settings_made_it_an_absolute_path(address, absolute):
    with pytest.raises(DataError, match=f"^{address.replace('//', '/')} is an address"):
        read_layout(Path(address).absolute() if absolute else Path(address))


def test_a_folder_with_a_manifest_of_another_name_says_how_to_name_it(tmp_path):
    files(tmp_path, "annotations.jsonl", text=rows(("a.jpg", "x")))
    files(tmp_path, "a.jpg")
    with pytest.raises(DataError) as error:
        read_layout(tmp_path)
    assert f"--data {tmp_path / 'annotations.jsonl'}" in (error.value.hint or "")


def codes(root: Path) -> dict[str, list[str]]:
    """Places by code."""
    found: dict[str, list[str]] = {}
    for finding in read_layout(root).findings:
        found.setdefault(finding.code, []).append(finding.path)
    return found


def test_images_beside_split_folders_are_said(tmp_path):
    files(tmp_path, "train/a/1.jpg", "val/a/2.jpg", "3.jpg", "4.jpg")
    assert codes(tmp_path) == {"CLF605": [""]}
    files(tmp_path, "train.jsonl", text=rows(("3.jpg", "a")))
    assert "CLF605" not in codes(tmp_path)


def test_files_of_other_kinds_are_counted(tmp_path):
    files(tmp_path, "a/1.jpg", "a/2.heic", "a/deep/3.HEIC", "b/4.jpg", "b/notes.txt", "b/LICENSE", "README.md")
    (finding,) = read_layout(tmp_path).findings
    assert (finding.code, finding.severity, finding.count) == ("CLF802", "info", 4)
    assert finding.reason == "files of other kinds, passed over: .heic 2, no suffix 1, .txt 1"


def test_nothing_but_other_files_says_what_they_are(tmp_path):
    files(tmp_path, "a/1.npy", "a/2.npy", "b/3.npy")
    with pytest.raises(DataError, match=r"No images in .*: \.npy 3\."):
        read_layout(tmp_path)


def test_a_folder_of_files_alone_says_what_they_are(tmp_path):
    files(tmp_path, "data.npz", "README.md", ".hidden")
    with pytest.raises(DataError, match=r"No images in .*: \.md 1, \.npz 1\."):
        read_layout(tmp_path)
    files(tmp_path, "1.jpg", "2.jpg")
    with pytest.raises(DataError, match="has 2 images, but in no class folder") as error:
        read_layout(tmp_path)
    assert "DIR/<class>/*.jpg" in (error.value.hint or "")


@pytest.mark.parametrize("where", ["", "train/", "train/a/", "train/a/deep/"])
def test_names_that_are_no_text_are_findings_at_every_depth(tmp_path, where):
    files(tmp_path, "train/a/1.jpg", "train/b/2.jpg", "train/a/deep/3.jpg")
    folder = os.fsencode(tmp_path / where) + b"/\xff\xfe"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    with open(folder + b"/4.jpg", "wb"):  # noqa: PTH123 - bytes
        pass
    listing = read_layout(tmp_path)
    assert [sample.path for sample in listing.samples] == ["train/a/1.jpg", "train/a/deep/3.jpg", "train/b/2.jpg"]
    (finding,) = listing.findings
    assert (finding.code, finding.severity) == ("CLF603", "error")
    assert str(finding) == f"{where}\\udcff\\udcfe: the name is not valid Unicode"


def test_links_in_circles_and_to_nowhere_hide_no_other_file(tmp_path):
    files(tmp_path, "train/a/1.jpg", "train/b/2.jpg")
    for folder in ("", "train/", "train/a/"):
        (tmp_path / folder / "self").symlink_to("self")
        (tmp_path / folder / "nowhere").symlink_to("gone")
        (tmp_path / folder / "up").symlink_to(tmp_path)
        (tmp_path / folder / "parent").symlink_to("..")
    (tmp_path / "train" / "a" / "self.jpg").symlink_to("self.jpg")
    listing = read_layout(tmp_path)
    paths = {sample.path for sample in listing.samples}
    assert {"train/a/1.jpg", "train/a/self.jpg", "train/b/2.jpg"} <= paths


def test_pipes_and_sockets_are_listed_and_never_opened(tmp_path):
    files(tmp_path, "a/1.jpg", "b/2.jpg")
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    os.mkfifo(tmp_path / "a" / "pipe.jsonl")
    os.mkfifo(tmp_path / "train.jsonl")
    assert codes(tmp_path)["CLF205"] == ["train.jsonl"]
    (tmp_path / "train.jsonl").unlink()
    assert [path for path, _, _ in seen(tmp_path)] == ["a/1.jpg", "a/pipe.jpg", "b/2.jpg"]


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may read everything")
@pytest.mark.parametrize("closed", ["train", "train/a/deep"])
def test_folders_that_may_not_be_read_are_findings(tmp_path, closed):
    data = files(tmp_path / "data", "train/a/1.jpg", "train/a/deep/2.jpg", "train/b/3.jpg", "val/a/4.jpg")
    for folder in (data, *data.parents[:3]):
        folder.chmod(0o755)
    (data / closed).chmod(0)
    program = "import sys, pathlib; from clf_cli.data.layout import read_layout\n"
    program += "listing = read_layout(pathlib.Path(sys.argv[1]))\n"
    program += "print([(f.code, f.path, f.severity) for f in listing.findings], len(listing.samples))"
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    command = [*as_nobody, sys.executable, "-B", "-c", program, str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (data / closed).chmod(0o755)
    if "Permission denied" in done.stderr and "python" in done.stderr:
        pytest.skip("the interpreter lies where another user may not read")
    assert f"('CLF107', '{closed}', 'error')" in done.stdout, done.stderr
    assert (
        f"] {4 - sum(name.startswith(closed) for name in ('train/a/1', 'train/a/deep', 'train/b', 'val/a'))}"
        in done.stdout
    )
