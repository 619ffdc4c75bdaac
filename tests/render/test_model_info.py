"""The network as a person reads it."""

from dataclasses import replace

import pytest
from rich.console import Console

from clf_cli.engine.model_info import ModelInfoResult
from clf_cli.render.model_info import table, table_with_layers
from clf_cli.values.labels import Labels
from clf_cli.values.layer import Layer
from clf_cli.values.preprocess import Preprocess

RESULT = ModelInfoResult(
    arch="resnet18",
    classes=2,
    parameters=11_689_512,
    trainable=513_000,
    megabytes=46.8,
    multiply_adds=1_814_073_344,
    layers=tuple(Layer(f"l{index}", "Conv2d", (4, 6, 6), 9) for index in range(3)),
    preprocess=Preprocess(96, 128),
    labels=Labels(("a", "b")),
)


def shown(result: ModelInfoResult, view=table) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(view(result))
    return capture.get()


@pytest.mark.parametrize(("count", "text"), [(1_814_073_344, "1.81 G"), (37_300_000, "37.3 M"), (0, "0.0 M")])
def test_costs_are_scaled(count, text):
    assert f"{text} per image" in shown(replace(RESULT, multiply_adds=count))


def test_the_figures_are_there():
    text = shown(RESULT)

    for part in (
        "resnet18",
        "2: a, b",
        "11,689,512",
        "513,000",
        "46.8 MB",
        "3 × 96 × 128",
        "squash",
        "bicubic",
        "0.485 0.456 0.406",
        "3 Conv2d",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("classes", "labels", "words"),
    [
        (1000, None, "1,000, timm's own"),
        (0, None, "none: timm has it without a head"),
        (3, Labels(("", "[red]", "\n")), "3: (empty), [red], '\\n'"),
        (40, Labels(tuple(f"c{index:02}" for index in range(40))), "40: c00, c01"),
    ],
)
def test_classes(classes, labels, words):
    assert words in shown(replace(RESULT, classes=classes, labels=labels))


def test_layers_one_by_one():
    text = shown(RESULT, table_with_layers)
    assert [line.split("│")[1].strip() for line in text.splitlines() if "Conv2d" in line] == ["l0", "l1", "l2"]
    assert "4 × 6 × 6" in text
    assert "3 Conv2d" not in text


def test_what_a_layer_does_not_tell_is_a_dash():
    layers = (Layer("[bold]", "Split", (), 0), Layer("b", "Gather", ("n", None), 0))
    lines = shown(replace(RESULT, layers=layers), table_with_layers).splitlines()
    assert [part.strip() for part in lines[-3].split("│")[1:5]] == ["[bold]", "Split", "–", "0"]
    assert "n × –" in lines[-2]
