"""A data set for every code: nothing is found before one thing is spoilt, and that code, with these others, after."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from clf_cli.data import walk
from clf_cli.data.codes import CODES, SEVERITIES
from clf_cli.data.dataset import survey_dataset
from clf_cli.data.samples import Finding, manifest_line
from clf_cli.data.scan import MAX_BYTES
from clf_cli.engine.dataset_findings import all_findings
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import DataSection
from tests.sound_data import photo, read_rows, sound_folders, sound_manifest, write_rows

Spoil = Callable[[Path], None]
FOLDERS: dict[str, tuple[Spoil, set[str]]] = {}  # code: what spoils the folders, and what else comes with it
MANIFESTS: dict[str, tuple[Spoil, set[str]]] = {}
OF_A_MODEL = {"CLF901"}  # not a property of the data alone


def folders(code: str, *others: str) -> Callable[[Spoil], Spoil]:
    return _kept(FOLDERS, code, others)


def manifest(code: str, *others: str) -> Callable[[Spoil], Spoil]:
    return _kept(MANIFESTS, code, others)


def _kept(table: dict[str, tuple[Spoil, set[str]]], code: str, others: tuple[str, ...]) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        assert code not in table
        table[code] = (spoil, {code, *others})
        return spoil

    return keep


def appended(root: Path, *lines: object) -> None:
    with (root / "all.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)


# Files that cannot be used


@manifest("CLF101")
def missing(root):
    appended(root, {"image": "images/none.png", "label": "a", "split": "train"})


@folders("CLF102")
def empty(root):
    (root / "train/a/empty.png").touch()


@folders("CLF103")
def cut_off(root):
    whole = (root / "train/a/0.png").read_bytes()
    (root / "train/a/cut.png").write_bytes(whole[: len(whole) // 2])


@folders("CLF104")
def no_image(root):
    (root / "train/a/page.png").write_text("<html>404</html>")


@folders("CLF105")
def no_file(root):
    (root / "train/a/folder.png").mkdir()


@folders("CLF106")
def too_large(root):
    with (root / "train/a/sparse.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)


@folders("CLF107")
def closed_folder(root):
    (root / "train/a/closed").mkdir()


@folders("CLF108")
def no_range(root):
    Image.fromarray(np.full((80, 80), 0.5, np.float32)).save(root / "train/a/float.tif")


@folders("CLF111")
def link_out(root):
    photo(100, 72).save(root.parent / "outside.png")
    (root / "train/a/link.png").symlink_to(root.parent / "outside.png")


# Manifests and splits


@manifest("CLF201")
def no_json(root):
    appended(root, "{oops")


@manifest("CLF202")
def no_label(root):
    appended(root, {"image": "images/00.png", "split": "train"})


@manifest("CLF203")
def label_is_a_number(root):
    appended(root, {"image": "images/00.png", "label": 7, "split": "train"})


@manifest("CLF204")
def no_such_split(root):
    appended(root, {"image": "images/00.png", "label": "a", "split": "dev"})


@folders("CLF205")
def manifest_that_is_a_pipe(root):
    rows = [{"image": f"{label}/{number}.png", "label": label} for label in "ab" for number in range(6)]
    write_rows(root / "train" / "rows.jsonl", rows)
    os.mkfifo(root / "train" / "pipe.jsonl")


@manifest("CLF206", "CLF207")
def a_row_without_a_split(root):
    appended(root, {"image": "images/new.png", "label": "a"})
    photo(100, 72).save(root / "images" / "new.png")


@manifest("CLF207")
def images_that_no_row_names(root):
    photo(100, 72).save(root / "images" / "new.png")


@folders("CLF208")
def images_outside_the_splits(root):
    (root / "extras").mkdir()
    photo(100, 72).save(root / "extras" / "new.png")


@folders("CLF209")
def a_manifest_beside_folders(root):
    (root / "labels.csv").write_text("image,label\ntrain/a/0.png,b\n")


# One image more than once


@folders("CLF301")
def two_labels(root):
    shutil.copy(root / "train/a/0.png", root / "train/b/copy.png")


@folders("CLF302")
def the_same_pixels_under_two_labels(root):
    Image.open(root / "train/a/0.png").save(root / "train/b/copy.bmp")


@folders("CLF303")
def nearly_the_same_under_two_labels(root):
    Image.open(root / "train/a/0.png").save(root / "train/b/copy.jpg", quality=80)


@folders("CLF401")
def two_splits(root):
    shutil.copy(root / "train/a/0.png", root / "val/a/copy.png")


@folders("CLF402")
def nearly_the_same_in_two_splits(root):
    Image.open(root / "train/a/0.png").save(root / "val/a/copy.jpg", quality=80)


@folders("CLF411")
def twice(root):
    shutil.copy(root / "train/a/0.png", root / "train/a/copy.png")


@folders("CLF412")
def nearly_twice(root):
    Image.open(root / "train/a/0.png").save(root / "train/a/copy.jpg", quality=80)


@manifest("CLF413")
def a_row_twice(root):
    appended(root, read_rows(root / "all.jsonl")[0])


# Classes


@folders("CLF501")
def a_class_of_val(root):
    (root / "val/c").mkdir()
    photo(100, 72).save(root / "val/c/0.png")


@folders("CLF502")
def one_class(root):
    shutil.rmtree(root / "train/b")
    shutil.rmtree(root / "val/b")


@folders("CLF503", "CLF102")
def a_class_whose_images_are_bad(root):
    (root / "train/c").mkdir()
    (root / "train/c/0.png").touch()


@folders("CLF504")
def a_class_without_images(root):
    (root / "train/c").mkdir()


@folders("CLF505")
def a_class_that_val_lacks(root):
    shutil.rmtree(root / "val/b")


@folders("CLF506")
def a_class_of_few(root):
    for number in (2, 3, 4, 5):
        (root / f"train/b/{number}.png").unlink()


@folders("CLF507", "CLF506")
def a_class_of_many(root):
    for number in range(1, 6):
        (root / f"train/b/{number}.png").unlink()
    for seed in range(100, 106):
        photo(seed, 72).save(root / f"train/a/{seed}.png")


# Names


@folders("CLF601")
def two_spellings(root):
    for split in ("train", "val"):
        shutil.move(root / split / "b", root / split / "A")


@folders("CLF602")
def what_nobody_sees(root):
    for split in ("train", "val"):
        shutil.move(root / split / "b", root / split / "b\u200b")


@folders("CLF603")
def no_text(root):
    shutil.move(root / "train/a/0.png", os.fsencode(root) + b"/train/a/\xff.png")


@folders("CLF604")
def png_in_jpg(root):
    shutil.move(root / "train/a/0.png", root / "train/a/0.jpg")


@folders("CLF605")
def no_class_folder(root):
    photo(100, 72).save(root / "train/loose.png")


# Pixels


@folders("CLF701")
def turned(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(100, 72).save(root / "train/a/turned.png", exif=exif)


@folders("CLF702")
def transparent(root):
    photo(100, 72).convert("RGBA").save(root / "train/a/alpha.png")


@folders("CLF703")
def thin(root):
    photo(100, 72).resize((400, 80)).save(root / "train/a/thin.png")


@folders("CLF704")
def tiny(root):
    photo(100, 72).resize((20, 15)).save(root / "train/a/tiny.png")


@folders("CLF705")
def one_colour(root):
    Image.new("RGB", (96, 72), "red").save(root / "train/a/red.png")


@folders("CLF706")
def dark(root):
    photo(100, 72).point(lambda value: value // 5).save(root / "train/a/dark.png")


@folders("CLF707")
def blurred(root):
    photo(100, 72).filter(ImageFilter.GaussianBlur(4)).save(root / "train/a/blurred.png")


# What is passed over


@folders("CLF801")
def hidden(root):
    (root / "train/a/.DS_Store").touch()


@folders("CLF802")
def other_files(root):
    (root / "train/a/photo.heic").touch()


@pytest.fixture
def closed(monkeypatch):
    """A folder called `closed` may not be listed, whoever runs the tests."""

    def listed(folder):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return entries(folder)

    entries = walk.entries
    monkeypatch.setattr(walk, "entries", listed)


def found(data: Path, lenient: bool = False) -> tuple[Finding, ...]:
    policies = {"on_bad_image": "skip"} if lenient else {}
    dataset = survey_dataset(DataSection(root=data, scan_cache=False, **policies), 0)
    return all_findings(dataset, InspectSection())


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("code", [code for code in CODES if code in FOLDERS])
def test_folders(root, code, closed):
    sound_folders(root)
    spoil, expected = FOLDERS[code]
    spoil(root)
    check(found(root, lenient=code == "CLF503"), code, expected, root)


@pytest.mark.parametrize("code", [code for code in CODES if code in MANIFESTS])
def test_manifests(root, code):
    data = sound_manifest(root)
    spoil, expected = MANIFESTS[code]
    spoil(root)
    check(found(data), code, expected, root)


def check(findings: tuple[Finding, ...], code: str, expected: set[str], root: Path) -> None:
    assert {finding.code for finding in findings} == expected
    (finding,) = [finding for finding in findings if finding.code == code]
    assert finding.severity == CODES[code].severity
    assert finding.count >= 1
    assert str(finding).isprintable()
    for place in () if code in ("CLF101", "CLF603") else finding.places:
        line = manifest_line(place)
        if line is None:
            assert os.path.lexists(root / place), place
        else:
            assert 1 <= line[1] <= len((root / line[0]).read_text(encoding="utf-8").splitlines())


def test_sound_sets_have_nothing(root, tmp_path):
    assert not found(sound_folders(root))
    assert not found(sound_manifest(tmp_path / "other"))


def test_every_code_has_a_data_set_and_says_what_to_do():
    assert {*FOLDERS, *MANIFESTS, *OF_A_MODEL} == set(CODES)
    for key, code in CODES.items():
        assert key == code.code
        assert code.severity in SEVERITIES
        assert code.title[0].islower() or code.title.startswith("EXIF")
        assert code.fix.endswith(".")
