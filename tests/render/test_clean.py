from clf_cli.data.samples import Finding, Sample
from clf_cli.engine.clean import Cleaned, CleanResult
from clf_cli.render.clean import table
from tests.render.test_split import cells, shown

KEPT = (Sample("a.png", "x"),)


def test_each_row_that_goes_with_its_codes():
    gone = (
        Cleaned(Sample("[b]b.png\x1b", ""), ("CLF103", "CLF706"), "cut off"),
        Cleaned(Sample("c.png", "[i]x"), ("CLF103",), "cut [i]off"),
    )
    lines = (Finding.of("CLF201", "all.jsonl:4", "not JSON"),)
    text = shown(table(CleanResult(("error",), KEPT, gone, lines)))
    assert text.splitlines()[:3] == [
        "1 row kept, 2 dropped: error",
        "  CLF103 image is cut off or broken: 2 rows",
        "  CLF706 dark image: 1 row",
    ]
    assert cells(text) == [
        ["[b]b.png\\x1b", "(empty)", "CLF103 CLF706", "cut off"],
        ["c.png", "[i]x", "CLF103", "cut [i]off"],
        ["all.jsonl:4", "", "CLF201", "not JSON"],
    ]
    assert "Not taken over, since they give no row: 1 place" in text


def test_nothing_to_drop():
    text = shown(table(CleanResult(("error",), KEPT, (), (), "clean.jsonl")))
    assert text.splitlines() == ["1 row kept, 0 dropped: error"]
