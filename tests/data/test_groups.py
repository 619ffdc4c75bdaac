"""--group-by: which rows belong together."""

import pytest

from clf_cli.data.groups import grouped
from clf_cli.data.samples import Sample
from clf_cli.errors import UsageError

ROWS = (
    Sample("game_1/a/x.png", "a", group="own", metadata={"metadata": {"camera": 3, "tags": ["u", "v"]}}),
    Sample("game_1/b/y.png", "b", metadata={"metadata": {"camera": "3"}}),
    Sample("game_2/a/z.png", "a", metadata={"metadata": {"camera": None}, "note": ""}),
    Sample("w.png", "a"),
)


def groups(by):
    return [row.group for row in grouped(ROWS, by)]


def test_the_parent_folder():
    assert groups("parent") == ["game_1/a", "game_1/b", "game_2/a", "."]


def test_the_first_group_of_an_expression_or_all_that_it_matches():
    assert groups(r"path:^(game_\d+)/") == ["game_1", "game_1", "game_2", None]
    assert groups(r"path:game_\d+") == ["game_1", "game_1", "game_2", None]
    assert groups(r"path:^(?:(game)_1|w)") == ["game", "game", None, None]


def test_a_key_of_the_rows():
    assert groups("metadata.camera") == ["3", "3", None, None]
    assert groups("metadata.tags") == ['["u", "v"]', None, None, None]
    assert groups("group") == ["own", None, None, None]


def test_half_a_pair_is_a_group_like_another():
    (row,) = grouped([Sample("x.png", "a", metadata={"game": "\ud800"})], "game")
    assert row.group is not None
    row.group.encode()


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("metadata.camra", "did you mean metadata.camera"),
        ("note", "no image has this key"),
        ("path:(", "unterminated subpattern"),
        ("path:zebra", "matches no path"),
    ],
)
def test_what_groups_nothing_is_refused(by, message):
    with pytest.raises(UsageError, match=message):
        grouped(ROWS, by)


def test_folders_have_no_keys():
    with pytest.raises(UsageError, match="no keys but their label"):
        grouped([Sample("a/x.png", "a")], "camera")
