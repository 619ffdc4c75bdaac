"""The network as a person reads it."""

import pytest
from rich.console import Console

from clf_cli.engine.model_info import Layer, ModelInfoResult
from clf_cli.render.model_info import table
from clf_cli.values.labels import Labels
from clf_cli.values.preprocess import Preprocess


def shown(multiply_adds: int) -> str:
    layers = tuple(Layer(f"l{index}", "Conv2d", (4, 6, 6), 9) for index in range(3))
    result = ModelInfoResult(
        arch="resnet18",
        classes=2,
        parameters=11_689_512,
        trainable=513_000,
        megabytes=46.8,
        multiply_adds=multiply_adds,
        layers=layers,
        preprocess=Preprocess(96, 128),
        labels=Labels(("a", "b")),
    )
    console = Console(width=100, record=True, quiet=False, file=None)
    with console.capture() as capture:
        console.print(table(result))
    return capture.get()


@pytest.mark.parametrize(("count", "text"), [(1_814_073_344, "1.81 G"), (37_300_000, "37.3 M"), (0, "0.0 M")])
def test_costs_are_scaled(count, text):
    assert f"{text} per image" in shown(count)


def test_the_figures_are_there():
    text = shown(1)

    for part in (
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
