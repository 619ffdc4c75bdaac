import io

import numpy as np
from rich.console import Console

from clf_cli.engine.sampler import sampler_report
from clf_cli.render.sampler import table
from clf_cli.values.labels import Labels


def shown(**changes) -> str:
    given = {
        "drawn": np.array([120, 0, 80]),
        "expected": np.array([100.0, 0.0, 100.0]),
        "labels": Labels(("", "[b]x", "00")),
        "epoch": 3,
    }
    console = Console(file=io.StringIO(), width=100)
    console.print(table(sampler_report(**(given | changes))))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


def test_each_class_has_a_row():
    text = shown()
    assert cells(text) == [
        ["(empty)", "120", "100.0", "1.20", "50.0 %"],
        ["[b]x", "0", "0.0", "–", "0.0 %"],
        ["00", "80", "100.0", "0.80", "50.0 %"],
    ]
    assert "epoch 3" in text
    assert "200 images drawn; chi-square 8.0 with 1 degree of freedom, p = 0.005" in text
    assert "Warning" not in text


def test_a_finding_is_said():
    assert "Warning: imbalance is corrected twice" in shown(loss_weights=np.array([1.0, 0.0, 2.0]))
