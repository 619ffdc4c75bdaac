"""splits.csv gives back what it was given, whatever the names."""

import csv

from hypothesis import given
from hypothesis import strategies as st

from clf_cli.data.run_splits import HEADER, read_splits, write_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(rows=st.lists(st.tuples(TEXT, TEXT, st.sampled_from(["train", "val", "test"]))))
def test_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("run") / "splits.csv"
    write_rows(path, rows)
    samples, splits = read_splits(path)
    assert [(sample.path, sample.label, sample.split) for sample in samples] == rows
    assert list(splits) == [split for split in ("train", "val", "test") if split in {row[2] for row in rows}]
    with path.open(encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [HEADER, *rows]


def test_the_empty_label_is_quoted(tmp_path):
    write_rows(tmp_path / "splits.csv", [("a.png", "", "val")])
    assert (tmp_path / "splits.csv").read_bytes() == b'path,label,split\na.png,"",val\n'
