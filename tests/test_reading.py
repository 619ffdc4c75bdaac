"""Files of others: what is read, and what is refused before it is."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.reading import parse_json, read_bytes, read_json, read_text, require_inside


def test_a_file_of_just_the_size_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="more than 0 MiB"):
        read_bytes(tmp_path / "a", 4)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", OSError), ("/dev/zero", OSError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind):
            read_bytes(tmp_path / path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "nowhere")


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_text(tmp_path / "a.json") == "[1]"
    assert read_json(tmp_path / "a.json") == [1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@given(JSON)
def test_what_json_writes_is_read(value):
    assert parse_json(json.dumps(value)) == json.loads(json.dumps(value))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 5000, "9" * 30, "", "{", "\udcff", b"\xff"])
def test_what_json_cannot_hold_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        parse_json(text)


@pytest.mark.parametrize("name", ["..", "../a", "a/../b", "/a", "a\0"])
def test_names_that_lead_out(name):
    with pytest.raises(ValueError, match="leads out"):
        require_inside(["a", name])
    require_inside(["a/b", "..a", "a..", "~", "-rf", ""])
