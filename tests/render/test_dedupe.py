from clf_cli.data.samples import Sample
from clf_cli.engine.dedupe import DedupeResult, Dropped
from clf_cli.render.dedupe import table
from tests.render.test_split import cells, shown

KEPT = (Sample("[b]a.png", "x"), Sample("c.png", "x"))


def test_each_row_that_goes_with_its_reason():
    gone = Dropped(
        Sample("[b]b.png\x1b", "x", "val"), "[b]a.png", "holds the same bytes as [b]a.png, which comes first"
    )
    text = shown(table(DedupeResult(KEPT, (gone,), (), near_duplicates=False, file="one.jsonl")), width=120)
    assert text.splitlines()[0] == "2 rows kept, 1 dropped: copies"
    assert cells(text) == [["[b]b.png\\x1b", "val", "holds the same bytes as [b]a.png, which comes first"]]
    assert "--out" not in text


def test_no_copy_and_conflicts():
    text = shown(table(DedupeResult(KEPT, (), (KEPT,), near_duplicates=True)))
    assert "2 rows kept, 0 dropped: copies and near duplicates" in text
    assert "Kept, since the labels of copies differ: 2 rows" in text
    assert "Nothing is written without --out FILE." in text
    assert cells(text) == []


def test_many_are_counted():
    gone = tuple(Dropped(Sample(f"{number}.png", "x"), "a.png", "is nearly a.png") for number in range(30))
    text = shown(table(DedupeResult(KEPT, gone, (), near_duplicates=True)))
    assert "and 10 more; --json has all" in text
