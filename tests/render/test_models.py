"""Architectures as a person reads them."""

from rich.console import Console

from clf_cli.engine.models import ModelsResult
from clf_cli.models.catalog import Entry
from clf_cli.render.models import table


def shown(*entries):
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table(ModelsResult("1.0.31", entries)))
    return [[cell.strip() for cell in line.split("│")] for line in capture.get().splitlines()]


def test_a_row_for_each_name():
    lines = shown(
        Entry("a.one", True, 1000, 224, 224, "mit", "timm/a.one", 11_689_512),
        Entry("a.two", False, 1000, 1024, 768, "", "someone/else", 5_000_000),
        Entry("b.old", True, 0, 96, 96, "apache-2.0", "https://example.com/weights/b.pth", None),
        Entry("c", True, 1000, 64, 64, "", "", 100),
    )
    assert lines[3:7] == [
        ["", "•", "a.one", "11.7 M", "224", "mit", "timm", ""],
        ["", "", "a.two", "5.0 M", "1024 × 768", "–", "someone/else", ""],
        ["", "•", "b.old", "–", "96", "apache-2.0", "example.com", ""],
        ["", "", "c", "0.0 M", "64", "–", "–", ""],
    ]
    assert lines[-1][0].startswith("3 architectures of timm 1.0.31, 3 published weights. •")


def test_without_weights_there_is_nothing_to_mark():
    unmarked = Entry("c", True, 1000, 64, 64, "", "", 100)
    assert shown(unmarked)[-1] == ["1 architecture of timm 1.0.31, 0 published weights."]
