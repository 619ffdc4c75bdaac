"""Manifests: what a row means, and that every bad line is found with its file and line."""

import json
import os
from pathlib import Path

import pytest

from clf_cli.data import manifest_rows
from clf_cli.data.manifests import Manifest, read_manifest


def read(tmp_path: Path, text: str | bytes, name: str = "all.jsonl", split: str | None = None):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(Manifest(tmp_path, path, split))


def reasons(tmp_path: Path, *lines: str, name: str = "all.jsonl") -> dict[str, str]:
    _, findings = read(tmp_path, "\n".join(lines), name)
    assert all(finding.severity == "error" for finding in findings)
    return {finding.path: finding.reason for finding in findings}


def test_rows_keep_what_they_say(tmp_path):
    row = {"image": "a/x.jpg", "prefix": "Read.", "suffix": "", "split": "valid", "group": 7, "metadata": {"blur": 1}}
    (sample,), findings = read(tmp_path, json.dumps(row), "deep/all.jsonl")
    assert (sample.path, sample.label, sample.split, sample.group) == ("deep/a/x.jpg", "", "val", "7")
    assert sample.metadata == {"prefix": "Read.", "metadata": {"blur": 1}}
    assert sample.source == "deep/all.jsonl:1"
    assert not findings


def test_labels_stay_text(tmp_path):
    lines = [json.dumps({"path": "x.jpg", "label": label}) for label in ("1", "01", "001", "", " a/b ", "é")]
    samples, _ = read(tmp_path, "\n".join(lines))
    assert [sample.label for sample in samples] == ["1", "01", "001", "", " a/b ", "é"]


def test_byte_order_mark_crlf_and_blank_lines(tmp_path):
    row = b'{"image": "x.jpg", "label": "a"}'
    samples, findings = read(tmp_path, b"\xef\xbb\xbf" + row + b"\r\n\r\n  \n" + row)
    assert [sample.source for sample in samples] == ["all.jsonl:1", "all.jsonl:4"]
    assert not findings


def test_other_line_separators_are_part_of_a_text(tmp_path):
    (sample,), _ = read(tmp_path, '{"image": "x.jpg", "label": "a\u2028b\x85c"}')
    assert sample.label == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("7", "a number (7)"),
        ("1.5", "a number (1.5)"),
        ("true", "a boolean (true)"),
        ("null", "null"),
        ("[]", "a list"),
    ],
)
def test_labels_that_are_no_strings(tmp_path, value, shown):
    found = reasons(tmp_path, f'{{"image": "x.jpg", "label": {value}}}')
    assert found.keys() == {"all.jsonl:1"}
    assert shown in found["all.jsonl:1"]
    assert "labels are strings" in found["all.jsonl:1"]


def test_all_bad_lines_are_found_at_once(tmp_path):
    found = reasons(
        tmp_path,
        "{",
        '{"image": "x.jpg", "label": "fine"}',
        '["x.jpg", "a"]',
        '{"label": "a"}',
        '{"image": "x.jpg"}',
        '{"image": 3, "label": "a"}',
        '{"image": "", "label": "a"}',
        '{"image": "x.jpg", "label": "a", "suffix": "b"}',
        '{"image": "x.jpg", "label": "\\ud800"}',
        '{"image": "x.jpg", "label": "a", "split": "dev"}',
        '{"image": "x.jpg", "label": "a", "group": []}',
        "[" * 100_000,
    )
    assert list(found) == [f"all.jsonl:{line}" for line in (1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)]
    expected = ("not JSON", "not a JSON object", 'no "image"', 'no "label"', "a number (3)", 'path is ""', "differ")
    assert all(text in reason for text, reason in zip(expected, found.values(), strict=False))
    assert "not valid Unicode" in found["all.jsonl:9"]
    assert '"dev"' in found["all.jsonl:10"]


def test_a_line_that_is_not_utf8_spares_the_others(tmp_path):
    samples, findings = read(tmp_path, b'{"image": "\xff.jpg", "label": "a"}\n{"image": "x.jpg", "label": "a"}')
    assert len(samples) == 1
    assert (findings[0].path, findings[0].reason) == ("all.jsonl:1", "not UTF-8")


@pytest.mark.parametrize("path", ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "a/\\u0000.jpg", "."])
def test_paths_that_leave_the_folder(tmp_path, path):
    found = reasons(tmp_path, f'{{"image": "{path}", "label": "a"}}')
    assert found.keys() == {"all.jsonl:1"}


def test_a_path_may_go_up_inside_the_folder(tmp_path):
    (sample,), _ = read(tmp_path, '{"image": "../images/x.jpg", "label": "a"}', "train/all.jsonl")
    assert sample.path == "images/x.jpg"


def test_a_row_cannot_contradict_its_place(tmp_path):
    row = '{"image": "x.jpg", "label": "a", "split": "val"}'
    samples, findings = read(tmp_path, row, "train.jsonl", "train")
    assert not samples
    assert "manifest of train" in findings[0].reason


def test_csv(tmp_path):
    lines = (
        "\ufeffpath,label,split,color",
        '"a,b.jpg",7,train,red',
        'x.jpg,"",val,',
        "",
        '"two\nlines.jpg",001,test,blue',
    )
    text = "".join(f"{line}\r\n" for line in lines)
    samples, findings = read(tmp_path, text, "all.csv")
    assert not findings
    assert [(s.path, s.label, s.split) for s in samples] == [
        ("a,b.jpg", "7", "train"),
        ("x.jpg", "", "val"),
        ("two\nlines.jpg", "001", "test"),
    ]
    assert samples[0].metadata == {"color": "red"}


def test_csv_problems(tmp_path):
    assert "no column label or suffix" in reasons(tmp_path, "image,class", "x.jpg,a", name="a.csv")["a.csv:1"]
    assert "3 values for 2" in reasons(tmp_path, "image,label", "x.jpg,a,b", "y.jpg,a", name="b.csv")["b.csv:2"]
    assert "not CSV" in reasons(tmp_path, "image,label", "y.jpg,a", '"x.jpg,a', name="c.csv")["c.csv:3"]
    _, findings = read(tmp_path, b"image,label\nx.jpg,\xff\n", "d.csv")
    assert (findings[0].path, findings[0].reason) == ("d.csv:2", "not UTF-8")


def test_a_line_too_long_spares_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest_rows, "MAX_LINE", 200)
    row = b'{"image": "x.jpg", "label": "a"}'
    long = b'{"image": "x.jpg", "label": "' + b"a" * 1000 + b'"}'
    samples, findings = read(tmp_path, b"\n".join([row, long, row, b" " * 199, row]))
    assert [sample.source for sample in samples] == ["all.jsonl:1", "all.jsonl:3", "all.jsonl:5"]
    assert [(finding.code, finding.path) for finding in findings] == [("CLF201", "all.jsonl:2")]
    samples, findings = read(tmp_path, b"image,label\nx.jpg,a\ny.jpg," + b"a" * 1000 + b"\nz.jpg,a", "a.csv")
    assert [sample.path for sample in samples] == ["x.jpg"]
    assert [(finding.code, finding.path) for finding in findings] == [("CLF201", "a.csv:3")]


def test_files_that_are_no_files_and_files_too_large_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    with (tmp_path / "sparse.jsonl").open("wb") as file:
        file.truncate(1 << 40)
    for name, reason in (("pipe.jsonl", "regular file"), ("zero.csv", "regular file"), ("sparse.jsonl", "1 GiB")):
        samples, (finding,) = read_manifest(Manifest(tmp_path, tmp_path / name, None))
        assert not samples
        assert (finding.code, finding.path, finding.severity) == ("CLF205", name, "error")
        assert reason in finding.reason


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("depth", [60, 300, 900, 990, 995, 1000, 5000])
@pytest.mark.parametrize("key", ["image", "label", "split", "group", "more"])
def test_nesting_ends_somewhere(tmp_path, key, depth):
    row = {"image": '"x.jpg"', "label": '"a"', key: nested(depth)}
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in row.items()) + "}"
    samples, (finding,) = read(tmp_path, text)
    assert not samples
    assert finding.code == "CLF201"


def test_nesting_that_is_sane_is_kept_and_wide_rows_too(tmp_path):
    boxes = [[[0, 1], [2, 3]] for _ in range(100)]
    row = {"image": "x.jpg", "label": "a", "boxes": boxes, "deep": json.loads(nested(40))}
    (sample,), findings = read(tmp_path, json.dumps(row))
    assert sample.metadata == {"boxes": row["boxes"], "deep": row["deep"]}
    assert not findings


def test_utf_16_is_named(tmp_path):
    for encoding in ("utf-16", "utf-16-be"):
        text = (
            '\ufeff{"image": "x.jpg", "label": "a"}' if encoding == "utf-16-be" else '{"image": "x.jpg", "label": "a"}'
        )
        samples, (finding,) = read(tmp_path, text.encode(encoding))
        assert not samples
        assert "UTF-16" in finding.reason


def test_keys_that_stand_twice_in_a_row(tmp_path):
    """A reader of JSON takes the last one; a person who looks may see the first."""
    twice = '{"image": "x.jpg", "label": "a", "label": "b"}'
    inside = '{"image": "x.jpg", "label": "a", "box": {"label": "b", "split": "c"}, "note": "\\"label\\""}'
    samples, (finding,) = read(tmp_path, f"{twice}\n{inside}")
    assert [sample.metadata for sample in samples] == [{"box": {"label": "b", "split": "c"}, "note": '"label"'}]
    assert (finding.code, finding.path, finding.reason) == ("CLF204", "all.jsonl:1", "names label twice")


def test_texts_of_absurd_length(tmp_path):
    found = reasons(
        tmp_path,
        json.dumps({"image": "x" * 5000, "label": "a"}),
        json.dumps({"image": "x.jpg", "label": "a" * 5000}),
        json.dumps({"image": "x.jpg", "label": "a", "group": "g" * 5000}),
        json.dumps({"image": "x.jpg", "label": "a", "split": "s" * 5000}),
        json.dumps({"image": ["x" * 5000], "label": "a"}),
    )
    assert len(found) == 5
    assert "5,000 characters: 4,096 at most" in found["all.jsonl:1"]
    assert max(map(len, found.values())) < 200


def test_csv_of_another_shape(tmp_path):
    assert "separated by commas" in reasons(tmp_path, "image;label", "x.jpg;a", name="a.csv")["a.csv:1"]
    assert "names label twice" in reasons(tmp_path, "image,label,label", "x.jpg,a,b", name="b.csv")["b.csv:1"]
    samples, findings = read(tmp_path, b"image,label,,\nx.jpg,a,,\ny.jpg,\xe9,,\nz.jpg,b,,\n", "c.csv")
    assert [sample.path for sample in samples] == ["x.jpg", "z.jpg"]
    assert [(finding.path, finding.reason) for finding in findings] == [("c.csv:3", "not UTF-8")]
    assert [sample.label for sample in read(tmp_path, "image,label\rx.jpg,a\ry.jpg,b\r", "mac.csv")[0]] == ["a", "b"]


def test_every_way_to_write_a_path_is_one(tmp_path):
    ways = ("a/x.jpg", "./a/x.jpg", "a//x.jpg", "a/./x.jpg", "a/b/../x.jpg", str(tmp_path / "a/x.jpg"))
    samples, findings = read(tmp_path, "\n".join(json.dumps({"image": way, "label": "a"}) for way in ways))
    assert {sample.path for sample in samples} == {"a/x.jpg"}
    assert len(samples) == len(ways)
    assert not findings
    beside = tmp_path.with_name(tmp_path.name + "-beside") / "x.jpg"
    assert reasons(tmp_path, json.dumps({"image": str(beside), "label": "a"}))
