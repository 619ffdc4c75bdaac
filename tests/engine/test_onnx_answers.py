"""Answers as JSON lines: every form is read, every bad line is named with its number."""

import json

import numpy as np
import pytest

from clf_cli.data.samples import Sample
from clf_cli.engine.onnx_answers import read_answers
from clf_cli.errors import DataError, UsageError
from clf_cli.values.labels import Labels

LABELS = Labels(("", "a", "b"))


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    for name in ("val/a/0.png", "val/b/1.png", "val/b/other.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


SAMPLES = [Sample("val/a/0.png", "a"), Sample("val/b/1.png", "b"), Sample("val/b/gone.png", "b")]


def read(data, *rows, text=None):
    file = data.parent / "answers.jsonl"
    file.write_bytes(text if text is not None else "\n".join(map(json.dumps, rows)).encode())
    return read_answers(file, LABELS, data, SAMPLES)


def reason(data, *rows, text=None):
    with pytest.raises(DataError) as caught:
        read(data, *rows, text=text)
    return caught.value.message


def row(**more):
    return {"path": "val/a/0.png", **more}


def test_logits(data):
    given = read(data, row(logits=[1, 2.5, -3]), {"path": "val/b/1.png", "logits": {"b": 1, "": 2, "a": 0}})
    assert (given.told, given.paths, given.complete) == ("logits", ("val/a/0.png", "val/b/1.png"), True)
    assert given.labels.tolist() == [1, 0]
    assert given.values.tolist() == [[1, 2.5, -3], [2, 0, 1]]


def test_probabilities_need_not_sum_to_one(data):
    """A missing softmax is for the comparison to find."""
    given = read(data, row(probabilities=[7, 2, 1]))
    assert (given.told, given.labels.tolist()) == ("probabilities", [0])


def test_a_label_beside_numbers_is_the_answer(data):
    given = read(data, row(probabilities=[0.2, 0.7, 0.1], label="b"))
    assert given.labels.tolist() == [2]


def test_labels_alone(data):
    given = read(data, row(label="b"), {"path": "val/b/1.png", "label": ""})
    assert (given.told, given.labels.tolist(), given.complete) == ("labels", [2, 0], False)
    assert np.isnan(given.values).all()


def test_what_clf_predict_writes(data):
    top = [{"label": "b", "probability": 0.7}, {"label": "a", "probability": 0.2}]
    given = read(
        data,
        {**row(label="b", index=2, probability=0.7, top=top), "error": None},
        {"path": "val/b/1.png", "label": None, "index": None, "probability": None, "top": top, "error": None},
        {
            "path": "val/b/gone.png",
            "label": None,
            "index": None,
            "probability": None,
            "top": [],
            "error": "no such file",
        },
    )
    assert (given.told, given.labels.tolist(), given.failed, len(given)) == ("probabilities", [2, -1], 1, 2)
    assert np.isnan(given.values[:, 0]).all()
    assert given.values[:, 1:].tolist() == [[0.2, 0.7], [0.2, 0.7]]


def test_the_least_that_all_lines_tell_counts(data):
    given = read(data, row(label="b", probability=0.5), {"path": "val/b/1.png", "label": "a"})
    assert given.told == "labels"


@pytest.mark.parametrize("form", ["relative", "absolute", "as typed", "windows"])
def test_paths(data, monkeypatch, form):
    monkeypatch.chdir(data.parent)
    path = {
        "relative": "val/a/0.png",
        "absolute": str(data / "val" / "a" / "0.png"),
        "as typed": "data/val/a/../a/0.png",
        "windows": "val\\a\\0.png",
    }[form]
    assert read(data, {"path": path, "label": "a"}).paths == ("val/a/0.png",)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"{", "not JSON: "),
        (b"[1]", "not a JSON object"),
        (b"\xff{}", "not UTF-8"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b"{}", 'no "path"'),
        (b'{"path": 3, "label": "a"}', 'no "path"'),
        (b'{"path": "val/c/9.png", "label": "a"}', "there is no such image in"),
        (b'{"path": "val/b/other.png", "label": "a"}', "is no image of the data"),
        (b'{"path": "val/\\u0000.png", "label": "a"}', "is no path"),
        (b'{"path": "val/b/1.png"}', 'none of "logits", "probabilities" and "label"'),
        (b'{"path": "val/b/1.png", "label": "c"}', "the model has no class c"),
        (b'{"path": "val/b/1.png", "label": 7}', "the model has no class 7"),
        (b'{"path": "val/b/1.png", "logits": [1, 2]}', "2 logits, the model has 3 classes"),
        (b'{"path": "val/b/1.png", "logits": {"a": 1}}', "1 logits, the model has 3 classes"),
        (b'{"path": "val/b/1.png", "logits": "1 2 3"}', "is not a list of numbers"),
        (b'{"path": "val/b/1.png", "logits": [1, NaN, 3]}', "holds NaN, no finite number"),
        (b'{"path": "val/b/1.png", "probabilities": [1, true, 3]}', "holds true, no finite number"),
        (b'{"path": "val/b/1.png", "label": "a", "probability": "high"}', "no finite number"),
        (b'{"path": "val/b/1.png", "label": "a", "top": [3]}', '"top" is not a list'),
        (b'{"path": "val/a/0.png", "label": "a"}', "again: line 1 answers for it too"),
    ],
)  # fmt: skip
def test_bad_lines_have_a_number_and_a_reason(data, bad, words):
    message = reason(data, text=b'{"path": "val/a/0.png", "label": "a"}\n\n' + bad + b"\n")
    assert "answers.jsonl:3: " in message
    assert words in message


def test_many_bad_lines_are_counted(data):
    message = reason(data, text=b"{}\n" * 40)
    assert "40 lines cannot be used" in message
    assert "and 30 more" in message
    assert message.count("answers.jsonl:") == 11


def test_logits_and_other_things_do_not_mix(data):
    assert "logits, others labels" in reason(data, row(logits=[1, 2, 3]), {"path": "val/b/1.png", "label": "a"})


@pytest.mark.parametrize("text", [b"", b"\n\n", b'{"path": "val/a/0.png", "error": "broken"}\n'])
def test_a_file_without_answers(data, text):
    assert "holds no answers" in reason(data, text=text)


def test_a_file_that_is_not_there(data, tmp_path):
    for file in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_answers(file, LABELS, data, SAMPLES)
