"""Manifests: what a row means, and that every bad line is found with its file and line."""

import json
from pathlib import Path

import pytest

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
