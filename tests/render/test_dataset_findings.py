"""One row for each code, all findings on demand, and no text of the data taken for markup."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from clf_cli.data.codes import CODES
from clf_cli.data.samples import Finding
from clf_cli.engine.dataset_baseline import Entry
from clf_cli.engine.dataset_gate import Gate, Judged, Verdict
from clf_cli.render.dataset_findings import DETAILS, SHOWN, by_code, cases, gate_lines, listing, table

LEAKS = [Finding.of("CLF401", f"{i}.jpg", f"twice, number {i}", others=(f"{i}-again.jpg",)) for i in range(SHOWN + 2)]
EMPTY = Finding.of("CLF102", "b\x1b[31m.jpg", "empty [red]file")


def verdict(*judged: Judged, fail_on=("error",), stale=(), not_searched=(), baseline=None) -> Verdict:
    gate = Gate(frozenset(fail_on), frozenset(), baseline=baseline)
    return Verdict(Path("/data"), judged, gate, frozenset(), tuple(stale), dict(not_searched))


def text(shown, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_row_for_each_code_with_count_first_places_and_fix():
    shown = text(table([*LEAKS, EMPTY], None), 200)
    assert shown.count("CLF401") == shown.count("CLF102") == 1
    assert shown.index("CLF102") < shown.index("CLF401")  # errors first
    assert "│    10 │" in shown  # images of five pairs
    assert "2.jpg: twice, number 2" in shown
    assert "3.jpg: twice" not in shown
    assert "and 2 more; -v shows all" in shown
    assert CODES["CLF401"].fix in shown


def test_nothing_is_markup_and_control_characters_are_escaped():
    for view in (table, listing):
        shown = text(view([EMPTY], None))
        assert "b\\x1b[31m.jpg: empty [red]file" in shown
        assert "\x1b" not in shown


def test_80_columns_cut_nothing_off():
    shown = text(table([Finding.of(code, "some/folder/" * 9 + "a.jpg", "x" * 100) for code in CODES], None))
    assert all(len(line) <= 80 for line in shown.splitlines())
    for code in CODES.values():
        assert code.code in shown
    assert "…" not in shown


def test_findings_that_say_no_more_than_the_title_are_places_on_one_line():
    same = [Finding.of("CLF102", f"{name}.jpg", CODES["CLF102"].title) for name in "abcde"]
    assert "a.jpg, b.jpg, c.jpg and 2 more" in text(table(same, None))


def test_all_findings_with_all_their_places():
    shown = text(listing([*LEAKS, EMPTY], None))
    lines = shown.splitlines()
    assert lines[0].startswith("error CLF102")
    for finding in LEAKS:
        assert f"warning CLF401 {finding}" in lines
        assert f"  {finding.others[0]}" in lines


def test_a_place_that_the_sentence_names_is_not_said_twice():
    found = Finding.of("CLF411", "a.jpg", "the same image again: b.jpg, c.jpg:1", others=("b.jpg", "c.jpg:1", "c.jpg"))
    assert text(listing([found], None)).splitlines()[1:] == ["  c.jpg"]
    alike = Finding.of("CLF601", "Cat", 'class names differ only by case: "Cat", "cat"', others=("cat",))
    assert len(text(listing([alike], None)).splitlines()) == 1


def test_no_findings_no_table():
    assert text(table([], None)) == ""
    assert text(table([], verdict())) == "Gate: passes; it fails on error\n"


def test_the_gate_names_its_limits():
    for words, said in ((("leak",), "leak, --max-imbalance 2.5, --min-per-class 10"), ((), "nothing")):
        gate = Gate(frozenset(words), frozenset(), max_imbalance=2.5, min_per_class=10)
        (line,) = gate_lines(Verdict(Path("/data"), (), gate, frozenset(), (), {}))
        assert str(line) == f"Gate: passes; it fails on {said}"


def test_the_gate_says_what_failed_what_was_accepted_and_what_is_stale():
    failed, kept, seen = Judged(LEAKS[0], "failed"), Judged(EMPTY, "accepted", (EMPTY.path,)), Judged(LEAKS[1], None)
    found = verdict(
        failed, kept, seen, fail_on=("leak", "error"), stale=[Entry("CLF411", "g\x1b.png")], baseline=Path("b.json")
    )
    lines = [str(line) for line in gate_lines(found)]
    assert lines == [
        "Accepted by b.json: CLF102 1",
        "No longer found, though b.json holds it: CLF411 g\\x1b.png",
        "Gate: fails on error, leak: CLF401 2",
    ]
    shown = text(table([], found), 200)
    assert "CLF102" not in shown.partition("Accepted by")[0]
    assert shown.count("fails") == 2
    assert "accepted CLF102" in text(listing([], found))


def test_a_group_that_is_accepted_in_part_shows_what_is_new():
    blurred = Finding.of("CLF707", "a.png", "blurred", others=("b.png", "c.png"))
    (group,) = by_code([Judged(blurred, "failed", ("a.png", "c.png"))])
    assert (group.count, group.findings[0].places) == (1, ("b.png",))


@pytest.mark.parametrize("code", ["CLF401", "CLF102"])
def test_one_junit_case_for_each_code(code):
    found = cases(verdict(*(Judged(leak, "failed") for leak in LEAKS), Judged(EMPTY, "accepted", (EMPTY.path,))))
    assert [case.name.split()[0] for case in found] == list(CODES)
    (case,) = (case for case in found if case.name.startswith(code))
    if code == "CLF102":
        assert case.failures == ()
    else:
        assert case.failures == ("0.jpg: twice, number 0, and 4 more",)
        assert case.details[0] == CODES[code].fix
        for leak in LEAKS:
            assert f"  {leak.others[0]}" in case.details


def test_what_was_not_looked_for_is_skipped_in_junit():
    found = {case.name.split()[0]: case for case in cases(verdict(not_searched={"CLF901": "no model is named"}))}
    assert found["CLF901"].skipped == "no model is named"
    assert [code for code, case in found.items() if case.skipped] == ["CLF901"]


def test_a_junit_failure_is_cut_and_says_so():
    many = [Judged(Finding.of("CLF401", f"{i}.jpg", "twice", others=("b.jpg",)), "failed") for i in range(DETAILS)]
    (case,) = (case for case in cases(verdict(*many)) if case.failures)
    assert len(case.details) == DETAILS + 1  # the fix, the lines but for the first, which is the message, and this:
    assert case.details[-1] == f"and {DETAILS:,} more lines; --json has all"
