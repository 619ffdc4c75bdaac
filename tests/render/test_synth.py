import io

from rich.console import Console

from clf_cli.engine.synth import SynthPlan, SynthResult
from clf_cli.render.synth import table


def shown_of(result: SynthResult) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(table(result))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_each_class_has_a_row_with_its_counts_per_split():
    counts = {"train": {"": 5, "00": 40}, "val": {"": 2, "00": 7}, "test": {"": 1, "00": 8}}
    lines = shown_of(SynthResult(SynthPlan(counts, stream=0), "out/set", 0))
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells == [["(empty)", "5", "2", "1"], ["00", "40", "7", "8"], ["all", "45", "9", "9"]]
    assert "63 images in out/set" in "\n".join(lines)
    assert "more folder" not in "\n".join(lines)


def test_for_other_data_it_says_what_was_left_out_and_where_the_images_go():
    plan = SynthPlan({"train": {"7": 3}}, stream=1, like="mine", left_out=("banana[b]",))
    text = " ".join(" ".join(shown_of(SynthResult(plan, "more", 0))).split())
    assert "Left out, since it is no number: banana[b]" in text
    assert "take more/train as one more folder" in text
