"""The images of a command line: their order, what comes on stdin, and lists that name nothing."""

import os
import sys

import pytest

from clf_cli.cli.named_images import named_images
from clf_cli.errors import DataError, UsageError


@pytest.fixture
def stdin(monkeypatch):
    """Makes bytes the standard input of this process; the writing end stays open when asked."""
    opened = []

    def feed(content, close=True):
        reading, writing = os.pipe()
        os.write(writing, content)
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
        opened.append(sys.stdin)
        if close:
            os.close(writing)
        return writing

    yield feed
    for stream in opened:
        stream.close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("1.png", "2.png", "d/3.png", "d/10.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()


def paths(*names, recursive=False, null=False):
    return [image and image.path for image in named_images(names, recursive, null).images]


def test_names_keep_their_order_and_may_repeat():
    assert paths("2.png", "d", "1.png", "2.png") == ["2.png", "d/3.png", "d/10.png", "1.png", "2.png"]
    assert named_images(["2.png", "d"], False, False).count == 3


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"1.png\n2.png\n", ["1.png", "2.png"]),
        (b"1.png\r\n\r\n  \n2.png", ["1.png", "2.png"]),
        (b"d\n1.png\n", ["d/3.png", "d/10.png", "1.png"]),
        ("grün .png\n".encode(), ["grün .png"]),
    ],
)
def test_lines_on_stdin_are_names(stdin, content, expected):
    stdin(content)
    assert paths("-") == expected


def test_zero_bytes_let_line_breaks_through(stdin):
    stdin(b"two\nlines.png\0 1.png\0")
    assert paths("-", null=True) == ["two\nlines.png", " 1.png"]


def test_zero_bytes_that_nobody_announced_are_a_mistake(stdin):
    stdin(b"1.png\0002.png\0")
    with pytest.raises(UsageError, match="zero bytes"):
        paths("-")


def test_stdin_stands_where_it_was_named(stdin):
    stdin(b"2.png\n")
    assert paths("1.png", "-", "d/3.png") == ["1.png", "2.png", "d/3.png"]
    assert named_images(["1.png", "-"], False, False).count is None


def test_a_writer_that_pauses_is_told_of_once(stdin):
    writing = stdin(b"1.png\n2", close=False)
    images = named_images(["-"], False, False).images
    assert next(images).path == "1.png"
    assert next(images) is None
    os.write(writing, b".png\n")
    assert next(images).path == "2.png"
    os.close(writing)
    assert list(images) == []


def test_a_stdin_that_says_nothing_yet_does_not_hold_up_what_stands_before_it(stdin):
    writing = stdin(b"", close=False)
    images = named_images(["1.png", "-"], False, False).images
    assert next(images).path == "1.png"
    assert next(images) is None
    os.close(writing)
    assert list(images) == []


def test_an_empty_stdin_is_an_error_where_nothing_else_is_named(stdin):
    stdin(b"\n")
    with pytest.raises(DataError, match="No paths came on stdin"):
        paths("-")
    stdin(b"")
    assert paths("1.png", "-") == ["1.png"]


def test_a_closed_stdin_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="stdin is closed"):
        paths("-")


@pytest.mark.parametrize(
    ("names", "null", "says"),
    [((), False, "No images are named"), (("-", "-"), False, "once"), (("1.png",), True, "--null")],
)
def test_lists_that_make_no_sense(names, null, says):
    with pytest.raises(UsageError, match=says) as caught:
        paths(*names, null=null)
    assert caught.value.exit_code == 2


def test_a_list_without_any_file_is_an_error_that_names_them():
    with pytest.raises(DataError, match=r"nowhere\.png: no such file"):
        paths("nowhere.png")
    with pytest.raises(DataError) as caught:
        paths(*(f"{number}.jpg" for number in range(30)))
    assert "\n  9.jpg: no such file\n  and 20 more" in caught.value.message
    assert paths("nowhere.png", "1.png") == ["nowhere.png", "1.png"]
