from dataclasses import replace
from io import StringIO

from rich.console import Console

from clf_cli.data.samples import Sample
from clf_cli.engine.split import plan_split
from clf_cli.engine.split_check import check_split
from clf_cli.render import split, split_check
from tests.drafts import draft_of, policy, rows


def shown(renderable, width=80) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(renderable)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]


def test_each_class_has_its_counts_and_shares():
    samples = [replace(row, split="train" if i < 6 else "val") for i, row in enumerate(rows(8, 2))]
    text = shown(split.table(plan_split(draft_of([*samples, Sample("x.png", "", "train")]), policy(), {})))
    assert "9 images, 3 classes" in text
    assert cells(text) == [
        ["(empty)", "1", "100.0 %", "–", ""],
        ["0", "3", "75.0 %", "1", "25.0 %"],
        ["1", "3", "75.0 %", "1", "25.0 %"],
        ["all", "7", "77.8 %", "2", "22.2 %"],
    ]
    assert "Nothing is written without --out FILE." in text


def test_folds_have_counts_alone_and_what_is_written_is_not_told_again():
    result = plan_split(draft_of(rows(90, 2)), policy(folds=3, stratify=True), {})
    text = shown(split.table(replace(result, files=("cv-1.jsonl", "cv-2.jsonl", "cv-3.jsonl"))))
    assert cells(text)[-1] == ["all", "30", "30", "30"]
    assert "--out" not in text


def test_what_was_split_before_and_what_is_new():
    found = plan_split(draft_of(rows(60)), policy(), {f"{i:04d}.png": "train" for i in range(48)})
    assert "Split before: 48 images; new: 12 images" in shown(split.table(found))
    assert "Split before" not in shown(split.table(plan_split(draft_of(rows(60)), policy(), {})))


def test_what_moved_and_why_without_markup():
    samples = [
        replace(row, path=f"[bold]{row.path}\x1b", split=("train", "val")[i % 2]) for i, row in enumerate(rows(60, 3))
    ]
    contents = {samples[0].path: "x", samples[1].path: "x"}
    text = shown(split.table(plan_split(draft_of(samples, contents), policy(), {})), width=120)
    assert "Moved: 1 image" in text
    assert "[bold]0001.png\\x1b" in text
    assert "it holds the same bytes as [bold]0000.png\\x1b" in text
    assert "\x1b" not in text
    assert "Kept together: 2 images in 1 cluster of copies, near duplicates or groups" in text


def test_many_moves_are_counted():
    samples = [replace(row, split=("train", "val")[i % 2]) for i, row in enumerate(rows(100))]
    contents = {row.path: str(i // 2) for i, row in enumerate(samples)}
    text = shown(split.table(plan_split(draft_of(samples, contents), policy(), {})))
    assert "Moved: 50 images" in text
    assert "and 30 more; --json has all" in " ".join(text.replace("│", " ").split())


def test_leaks():
    samples = [replace(row, path=f"[i]{row.path}", split=("train", "val")[i % 2]) for i, row in enumerate(rows(6))]
    passed = check_split(draft_of(samples), None, near_duplicates=False)
    assert shown(split_check.table(passed)).splitlines() == [
        "6 images: train 3, val 3",
        "Looked for in two splits: the same image, groups",
        "No leak.",
    ]
    contents = {samples[0].path: "x", samples[1].path: "x"}
    text = shown(split_check.table(check_split(draft_of(samples, contents), None, near_duplicates=False)))
    assert cells(text) == [["train val", "2", "[i]0000.png holds the same bytes as [i]0001.png"]]


def test_of_many_classes_the_largest_and_the_smallest_are_shown():
    samples = [Sample(f"{label}-{i}.png", f"{label:03d}") for label in range(300) for i in range(1 + label % 7)]
    found = cells(shown(split.table(plan_split(draft_of(samples), policy(), {})), width=120))
    assert len(found) == 202
    assert found[-1][0] == "all"
    assert found[-2][0] == "… 100 classes between the largest and the smallest"
