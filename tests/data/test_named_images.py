"""What a person names: files as they are typed, folders in natural order, and reasons for what is not there."""

import os
import sys

import numpy as np
import pytest
from PIL import Image

from clf_cli.data.images import UnreadableImageError, open_image
from clf_cli.data.named_images import images_named, natural

linux = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file names")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("10.png", "9.png", "a/2.png", "a/b/1.png", ".hidden.png", "Thumbs.db", "notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def paths(found):
    return [image.path for image in found]


def open_named(image):
    if isinstance(image.content, UnreadableImageError):
        raise image.content
    return open_image(image.content)


def reason(name, recursive=False):
    (image,) = images_named(name, recursive)
    assert isinstance(image.content, UnreadableImageError)
    return str(image.content)


@pytest.mark.parametrize("typed", ["photos/9.png", "./photos/9.png", "photos/../photos//9.png"])
def test_a_path_stays_as_it_was_typed(photos, typed):
    (image,) = images_named(typed)
    assert image.path == typed
    assert image.content.samefile(photos / "9.png")


def test_a_folder_is_its_images_in_natural_order(photos):
    assert paths(images_named("photos")) == ["photos/9.png", "photos/10.png"]
    assert paths(images_named("photos/")) == ["photos/9.png", "photos/10.png"]
    assert paths(images_named("./photos")) == ["./photos/9.png", "./photos/10.png"]


def test_recursion_takes_the_folders_below_too(photos):
    below = ["photos/9.png", "photos/10.png", "photos/a/2.png", "photos/a/b/1.png"]
    assert paths(images_named("photos", recursive=True)) == below
    assert all(image.content.is_file() for image in images_named("photos", recursive=True))


def test_numbers_count_and_equal_ones_have_an_order():
    assert min(["7", "07"], key=natural) == min(["07", "7"], key=natural) == "07"
    assert sorted(["x10", "x9", "x09"], key=natural) == ["x09", "x9", "x10"]
    assert sorted(["a10/1", "a9/2"], key=natural) == ["a9/2", "a10/1"]


def test_what_is_not_there_has_a_reason(photos):
    (photos / "empty").mkdir()
    (photos / "outer" / "inner").mkdir(parents=True)
    assert reason("nowhere.png") == "no such file"
    assert reason("") == "an empty path"
    assert reason("photos/empty") == "a folder without images"
    assert "-r looks into the folders" in reason("photos/outer")
    assert reason("photos/outer", recursive=True) == "a folder without images"


@linux
@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000])
def test_names_that_no_system_opens_fail_when_they_are_opened_and_not_before(photos, name):
    (image,) = images_named(name)
    with pytest.raises(UnreadableImageError):
        open_named(image)


@linux
def test_links_that_lead_nowhere_or_out_are_reasons(photos, tmp_path):
    (photos / "dangling.png").symlink_to("gone.png")
    (photos / "out").symlink_to(tmp_path)
    found = {image.path: image.content for image in images_named("photos", recursive=True)}
    assert str(found["photos/out"]) == "links out of the data folder"
    assert paths(images_named("photos/dangling.png")) == ["photos/dangling.png"]
    assert reason("photos/dangling.png") == "no such file"


@linux
def test_names_of_any_characters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("grün 🍎.png", "two\nlines.png", "-dash.png"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(name)
    found = images_named(".")
    assert sorted(paths(found)) == ["./-dash.png", "./grün 🍎.png", "./two\nlines.png"]
    assert all(open_image(image.content).size == (4, 4) for image in found)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes")
def test_a_name_that_is_not_unicode_can_be_typed_and_is_refused_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save("plain.png")
    os.rename("plain.png", name)  # noqa: PTH104 - bytes that no text is
    (typed,) = images_named(name)
    assert open_image(typed.content).size == (4, 4)
    (listed,) = images_named(".")
    assert "not valid Unicode" in str(listed.content)
