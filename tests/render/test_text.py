import pytest

from clf_cli.render.text import counted, decimal, duration, label, named, percent, scaled, shorten


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "(empty)"),
        ("00", "00"),
        ("a\nb\tc", "a b c"),
        ("x" * 50, "x" * 39 + "…"),
        ("日本", "日本"),
        ("\n", "'\\n'"),
        ("a\u202egnp", "a gnp"),
    ],
)
def test_label(name, shown):
    assert label(name) == shown


def test_labels_of_blanks_do_not_vanish():
    assert label(" ") == "' '"


def test_numbers():
    assert percent(0.9324) == "93.2 %"
    assert percent(float("nan")) == decimal(float("nan")) == "–"
    assert decimal(1.25, 1) == "1.2"
    assert [counted(1, "image"), counted(1024, "image"), counted(2, "class")] == [
        "1 image",
        "1,024 images",
        "2 classes",
    ]
    assert shorten("abc", 3) == "abc"
    assert shorten("ab cd", 4) == "ab…"


def test_costs_are_scaled():
    assert [scaled(count) for count in (1_814_073_344, 37_300_000, 0)] == ["1.81 G", "37.3 M", "0.0 M"]


def test_names_are_counted_and_the_first_are_shown():
    assert named(("", "[b]", "c")) == "3: (empty), [b], c"
    assert named(tuple(str(number) for number in range(1200)), 3) == "1,200: 0, 1, 2, …"


def test_duration():
    times = [duration(seconds) for seconds in (0.31, 4.4, 9.97, 45.2, 59.4, 59.6, 600, 3599, 7260)]
    assert times == ["0.3 s", "4.4 s", "10 s", "45 s", "59 s", "1 min", "10 min", "1 h 00 min", "2 h 01 min"]
