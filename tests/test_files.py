"""Files are whole or absent: whatever goes wrong, the old file stays and nothing is left beside it."""

import json
import math
import os
import resource
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as with_options
from hypothesis import strategies as st

from clf_cli.cli.places import clear_earlier
from clf_cli.errors import RunError
from clf_cli.files import (
    TEMP_SUFFIX,
    is_stream,
    json_text,
    move_into_place,
    sweep_leftovers,
    temporary_folder,
    unwritable,
    write_atomic,
    write_json,
    write_text,
)


@contextmanager
def largest_file(size):
    """What a full disk does to a write, for files above `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def blocked(tmp_path):
    """A path whose folder is a file."""
    (tmp_path / "file").write_text("in the folder's place")
    return tmp_path / "file" / "report.json"


# write_atomic


def test_a_file_takes_its_place_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    write_atomic(path, lambda file: file.write(b"\x00\xff"))
    assert path.read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["a", "a/b", "a/b/file.bin"]


def test_others_may_read_it(tmp_path):
    """A temporary file's own mode is 0600."""
    write_text(tmp_path / "file", "x")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_writer_that_raises_leaves_the_old_file_and_nothing_else(old, error):
    def write(file):
        file.write(b"new and half")
        raise error("mine")

    with pytest.raises(error, match="mine"):
        write_atomic(old, write)
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["file.bin"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(old):
    seen = []

    def write(file):
        file.write(b"new")
        file.flush()
        seen.append(old.read_bytes())
        assert [name for name in names(old.parent) if name.endswith(TEMP_SUFFIX)], "it is written in the same folder"

    reader = old.open("rb")
    write_atomic(old, write)
    assert seen == [b"old"]
    assert old.read_bytes() == b"new"
    assert reader.read() == b"old", "who has it open keeps what it had"
    reader.close()


def test_a_full_disk_leaves_the_old_file_and_says_which(old):
    with largest_file(1000):
        with pytest.raises(OSError, match="File too large"):
            (old.parent / "probe").write_bytes(bytes(1001))
        (old.parent / "probe").unlink()
        with pytest.raises(RunError, match=r"Cannot write .*file\.bin: File too large") as told:
            write_atomic(old, lambda file: file.write(bytes(1001)))
        write_atomic(old.with_name("small"), lambda file: file.write(bytes(1000)))
    assert told.value.exit_code == 6
    assert "--out" in str(told.value.hint)
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["file.bin", "small"]


def test_a_file_in_the_folders_place_is_named(blocked):
    with pytest.raises(RunError, match="Cannot write") as told:
        write_text(blocked, "x")
    assert str(blocked) in told.value.message
    assert blocked.parent.read_text() == "in the folder's place"


def test_a_folder_in_the_files_place_is_named(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(RunError, match="Is a directory"):
        write_text(tmp_path / "taken", "x")
    assert names(tmp_path) == ["taken"]


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    write_text(tmp_path / "file", "new")
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_killed_writer_leaves_the_old_file_and_what_the_sweep_finds(old):
    code = (
        "import os, pathlib, sys; from clf_cli.files import write_atomic\n"
        "write_atomic(pathlib.Path(sys.argv[1]), lambda file: (file.write(b'half'), file.flush(), os._exit(9)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(old)], check=False).returncode == 9
    assert old.read_bytes() == b"old"
    assert len(names(old.parent)) == 2
    assert sweep_leftovers(old.parent) == 1
    assert names(old.parent) == ["file.bin"]


# Text and JSON


def test_text_is_utf_8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "file", "ä\n字\n")
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa4\n\xe5\xad\x97\n"


def test_json_is_strict(old):
    for value in (math.nan, [math.inf], {"a": -math.inf}):
        with pytest.raises(ValueError, match="JSON"):
            write_json(old, value)
    assert old.read_bytes() == b"old"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@with_options(derandomize=True, deadline=None, max_examples=100)
@given(values)
def test_json_comes_back_however_it_is_laid_out(value):
    assert json.loads(json_text(value)) == value


@pytest.mark.parametrize("text", ["[ ", " ]", "[\n  1\n]", "{", "a\n  b", "[", "]", '"[\n'])
def test_brackets_and_line_breaks_in_strings_are_not_layout(text):
    for value in ([text, text], {"key": [text]}, [[text], [1, 2]], text):
        assert json.loads(json_text(value)) == value


def test_rows_of_a_matrix_are_lines():
    assert json_text(["a ]", "[b", "c"]) == '["a ]", "[b", "c"]'
    assert json_text({"counts": [[1, 2], [3, 4]], "empty": []}).splitlines() == [
        "{", '  "counts": [', "    [1, 2],", "    [3, 4]", "  ],", '  "empty": []', "}",
    ]  # fmt: skip


def test_long_lists_have_no_blanks_between_their_items():
    text = json_text({"row": list(range(101)), "names": ["a, b"] * 101, "short": [1, 2]})
    assert '"row": [0,1,2,' in text
    assert '"a, b","a, b"' in text
    assert '"short": [1, 2]' in text
    assert json.loads(text) == {"row": list(range(101)), "names": ["a, b"] * 101, "short": [1, 2]}


def test_a_json_file_ends_with_a_line_end(tmp_path):
    write_json(tmp_path / "file", {"a": "ü"})
    assert (tmp_path / "file").read_text(encoding="utf-8") == '{\n  "a": "ü"\n}\n'


# Errors


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (RuntimeError("first line\nsecond"), "first line"),
        (OSError(), "OSError"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_the_reason_is_one_line_and_never_missing(error, reason):
    told = unwritable(Path("a/b"), error)
    assert told.message == f"Cannot write a/b: {reason}."
    assert told.exit_code == 6


# Sweeping


def test_the_sweep_takes_leftovers_only(tmp_path):
    kept = ["a.txt", ".hidden", "deep/b.txt", f"visible{TEMP_SUFFIX}", f"deep/.x{TEMP_SUFFIX}.txt"]
    swept = [f".a{TEMP_SUFFIX}", f"deep/.b.123{TEMP_SUFFIX}"]
    for name in (*kept, *swept):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / f".folder{TEMP_SUFFIX}" / "inside").mkdir(parents=True)
    (tmp_path / f".folder{TEMP_SUFFIX}" / f".inner{TEMP_SUFFIX}").touch()
    assert sweep_leftovers(tmp_path) >= 3
    assert [name for name in names(tmp_path) if name != "deep"] == sorted(kept)
    assert sweep_leftovers(tmp_path) == 0


# Temporary folders and moves


def test_a_temporary_folder_lies_beside_its_place_and_goes(tmp_path):
    target = tmp_path / "export" / "golden"
    with temporary_folder(target) as folder:
        assert folder.is_dir()
        assert folder.parent == target.parent
        (folder / "file").write_text("x")
        assert sweep_leftovers(tmp_path) == 0, "the sweep takes it only once its process is dead"
    with pytest.raises(ValueError, match="mine"), temporary_folder(target) as folder:
        raise ValueError("mine")
    assert names(tmp_path) == ["export"]


def test_a_temporary_folder_that_cannot_be_made_is_named(blocked):
    with pytest.raises(RunError, match="Cannot write") as told, temporary_folder(blocked):
        pass
    assert str(blocked) in told.value.message


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_moves_into_place(tmp_path, before):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    if before:
        target.write_text(before)
    move_into_place(source, target)
    assert target.read_text() == "new"
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize("before", [None, "old"])
def test_a_folder_moves_into_place_and_nothing_of_the_old_one_stays(tmp_path, before):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "new").write_text("new")
    if before:
        target.mkdir()
        (target / before).write_text(before)
    move_into_place(source, target)
    assert names(tmp_path) == ["target", "target/new"]


def test_a_folder_that_cannot_move_leaves_the_old_one(tmp_path):
    source = tmp_path / "source"
    target = source / "target"  # a folder cannot move into itself
    target.mkdir(parents=True)
    (target / "old").write_text("old")
    with pytest.raises(RunError) as told:
        move_into_place(source, target)
    assert str(target) in told.value.message
    assert names(tmp_path) == ["source", "source/target", "source/target/old"]


def test_what_is_not_there_cannot_move_and_the_target_is_named(tmp_path, old):
    with pytest.raises(RunError, match=r"file\.bin: No such file"):
        move_into_place(tmp_path / "nowhere", old)
    assert old.read_bytes() == b"old"
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="folder"):
        move_into_place(old, tmp_path / "folder")
    assert old.read_bytes() == b"old"


def test_no_descriptor_stays_open(tmp_path):
    before = os.listdir("/proc/self/fd") if Path("/proc/self/fd").is_dir() else []  # noqa: PTH208 - a count is all
    for number in range(5):
        write_text(tmp_path / "a" / str(number), "x")
        move_into_place(tmp_path / "a" / str(number), tmp_path / "moved")
    after = os.listdir("/proc/self/fd") if Path("/proc/self/fd").is_dir() else []  # noqa: PTH208
    assert len(after) == len(before)


def test_names_that_are_no_text_are_written_as_escapes(tmp_path):
    name = os.fsdecode(b"a\xff.png")
    write_json(tmp_path / "a.json", {"path": name})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"path": name}
    write_text(tmp_path / "a.txt", f"é {name}")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "é a\\udcff.png"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_is_written_into_and_stays(tmp_path):
    """Whoever may write into /dev would else put a file in the place of /dev/null."""
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    with pytest.raises(RunError, match=r"Cannot write .*pipe\.json"):
        write_text(pipe, "nobody reads")
    clear_earlier(pipe, "--junit", b"<", "checks.xml")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe.json"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system has no /proc")
def test_an_open_file_is_continued(tmp_path):
    with (tmp_path / "out.txt").open("wb", buffering=0) as file:
        file.write(b"before, ")
        stream = Path(f"/proc/self/fd/{file.fileno()}")
        assert is_stream(stream)
        clear_earlier(stream, "--sarif", b"{", "findings.sarif")
        write_text(stream, "after")
    assert (tmp_path / "out.txt").read_text() == "before, after"


def test_files_folders_and_links_to_them_are_no_streams(tmp_path, old):
    (tmp_path / "link").symlink_to(old)
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    assert not any(is_stream(tmp_path / name) for name in (".", "file.bin", "link", "dangling", "none", "file.bin/x"))
