"""Predictions for people, for line readers and for spreadsheets: nothing is lost, and nothing looks like another."""

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clf_cli.engine.predictions import PredictionsResult, Tally
from clf_cli.render.prediction_lines import csv_header, csv_row, json_line, summary
from clf_cli.render.predictions import table
from clf_cli.values.prediction import Candidate, Prediction

SURE = Prediction("shelf/a.png", "milk", 2, 0.75, (Candidate("milk", 0.75), Candidate("oat-milk", 0.2)))
EMPTY = Prediction("b.png", "", 0, 1.0, (Candidate("", 1.0), Candidate("milk", 0.0)))
UNSURE = Prediction("c.png", None, None, 0.4, (Candidate("milk", 0.4), Candidate("", 0.3)))
LOST = Prediction("d,\n.png", error="empty file (0 bytes)")
ALL = (SURE, EMPTY, UNSURE, LOST)

texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=8)


def printed(predictions, width=100):
    stream = io.StringIO()
    Console(file=stream, width=width).print(table(PredictionsResult(tuple(predictions))))
    return stream.getvalue()


def test_a_json_line_holds_the_keys_of_the_contract_in_order():
    line = json_line(SURE)
    assert "\n" not in line
    assert list(json.loads(line)) == ["path", "label", "index", "probability", "top", "error"]
    assert json.loads(line) == {
        "path": "shelf/a.png",
        "label": "milk",
        "index": 2,
        "probability": 0.75,
        "top": [{"label": "milk", "probability": 0.75}, {"label": "oat-milk", "probability": 0.2}],
        "error": None,
    }
    assert json.loads(json_line(LOST))["path"] == LOST.path
    assert "\n" not in json_line(LOST)


def test_rows_of_csv_tell_an_empty_label_from_none():
    assert csv_header(2) == "path,label,index,probability,error,top1_label,top1_probability,top2_label,top2_probability"
    assert csv_row(SURE, 2) == "shelf/a.png,milk,2,0.75,,milk,0.75,oat-milk,0.2"
    assert csv_row(EMPTY, 2) == 'b.png,"",0,1.0,,"",1.0,milk,0.0'
    assert csv_row(UNSURE, 2) == 'c.png,,,0.4,,milk,0.4,"",0.3'
    assert csv_row(LOST, 2) == '"d,\n.png",,,,empty file (0 bytes),,,,'


@given(path=texts, label=texts, error=texts)
def test_the_standard_reader_gets_every_row_back(path, label, error):
    rows = [Prediction(path, label, 1, 0.5, (Candidate(label, 0.5),)), Prediction(path, error=error)]
    text = "".join(f"{line}\n" for line in [csv_header(1), *(csv_row(row, 1) for row in rows)])
    _, first, second = csv.reader(io.StringIO(text, newline=""))
    assert first == [path, label, "1", "0.5", "", label, "0.5"]
    assert second == [path, "", "", "", error, "", ""]


def test_a_table_shows_answers_doubts_and_reasons():
    text = printed(ALL)
    assert "75.0 %" in text
    assert "oat-milk 20.0 %" in text
    assert "(empty)" in text
    assert "not sure" in text
    assert "milk 40.0 %, (empty) 30.0 %" in text
    assert r"d,\n.png" in text
    assert "empty file (0 bytes)" in text


def test_a_narrow_table_lists_fewer_candidates_and_loses_no_answer():
    many = Prediction("a.png", "milk", 0, 0.5, tuple(Candidate(name, 0.5) for name in ("milk", "kiwi", "plum", "pear")))
    assert "pear" in printed([many], 90)
    narrow = printed([many], 62)
    assert "pear" not in narrow
    assert "kiwi" in narrow
    assert max(map(len, narrow.splitlines())) <= 62
    tiny = printed([many, SURE], 40)
    assert max(map(len, tiny.splitlines())) <= 40
    assert "milk" in tiny


def test_the_summary_counts():
    assert summary(Tally.of(ALL)) == "4 images · 2 classes seen · 1 not sure enough · 1 unreadable"
    assert summary(Tally.of([SURE])) == "1 image · 1 class seen · 0 unreadable"
