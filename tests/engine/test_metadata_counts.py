"""Keys and values are counted as the rows have them, within a bound of memory."""

import json

from clf_cli.data.samples import Sample
from clf_cli.engine.metadata_counts import DISTINCT, KEYS, metadata_counts


def counted(*metadata, group=None):
    return {key.key: key for key in metadata_counts([Sample("a.jpg", "x", group=group, metadata=m) for m in metadata])}


def test_the_most_frequent_first():
    found = counted({"camera": "b"}, {"camera": "a"}, {"camera": "b", "source": {"site": 1}}, {})
    assert list(found) == ["camera", "source.site"]
    assert found["camera"].values == (("b", 2), ("a", 1))
    assert (found["camera"].rows, found["camera"].distinct, found["camera"].more) == (3, 2, False)
    assert found["source.site"].rows == 1


def test_the_group_is_a_key_and_label_and_image_are_none():
    assert list(counted({}, group="g1")) == ["group"]


def test_what_is_no_text_stands_as_json():
    found = counted({"v": [1, "é"]}, {"v": None}, {"v": True}, {"v": 2.5})
    assert {value for value, _ in found["v"].values} == {'[1, "é"]', "null", "true", "2.5"}
    assert found["v"].low is None


def test_numbers_have_a_range():
    found = counted({"n": 7, "mixed": 1}, {"n": -1.5, "mixed": "1"}, {"n": 3})
    assert (found["n"].low, found["n"].high) == (-1.5, 7)
    assert (found["mixed"].low, found["mixed"].high) == (None, None)
    assert counted({"flag": True})["flag"].low is None


def test_many_values_and_many_keys_are_bounded_and_say_so():
    found = counted(*({"id": f"{number:05}"} for number in range(DISTINCT + 5)))["id"]
    assert (found.rows, found.distinct, found.more) == (DISTINCT + 5, DISTINCT, True)
    assert len(counted({f"k{number}": 1 for number in range(KEYS + 5)})) == KEYS


def test_halves_of_surrogate_pairs_can_be_written():
    found = counted({"\ud800": "a\udfffb", "list": ["\ud800"]})
    assert "\\ud800" in found
    json.dumps([key.to_json() for key in found.values()], ensure_ascii=False).encode()
