from pathlib import Path
from typing import Literal

import pytest

from clf_cli.training.pictures import BUDGET, BYTES, FIRST_DRAWING_S, Pictures, drawn_before

FILE = Path("epoch.png")


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn_epochs(
    mode: Literal["auto", "every", "last"], epoch_s: float, drawing_s: float
) -> tuple[list[int], list[str]]:
    clock, said = Clock(), list[str]()
    pictures, drawn = Pictures(mode, said.append, clock), list[int]()
    for epoch in range(1, 101):
        clock.now += epoch_s

        def draw(path: Path, epoch: int = epoch) -> None:
            drawn.append(epoch)
            clock.now += drawing_s

        pictures.offer(FILE, draw)
    return drawn, said


def test_every_draws_every_epoch_and_last_none_before_the_end() -> None:
    assert len(drawn_epochs("every", 1.0, 5.0)[0]) == 100
    assert drawn_epochs("last", 1000.0, 0.001)[0] == []


def test_auto_draws_every_epoch_when_that_is_cheap() -> None:
    drawn, said = drawn_epochs("auto", FIRST_DRAWING_S / BUDGET * 1.1, 0.1)
    assert len(drawn) == 100
    assert said == []


@pytest.mark.parametrize("drawing_s", [0.5, 2.0])
def test_auto_stays_within_its_share_and_says_once_that_pictures_are_left_out(drawing_s: float) -> None:
    drawn, said = drawn_epochs("auto", 10.0, drawing_s)
    assert 0 < len(drawn) < 100
    assert len(drawn) * drawing_s <= BUDGET * (100 * 10.0 + len(drawn) * drawing_s)
    assert len(said) == 1
    assert "--pictures every" in said[0]


@pytest.mark.parametrize(("there", "expected"), [(False, 5), (True, 3)])
def test_auto_stays_within_its_bytes_those_of_an_earlier_start_included(
    tmp_path: Path, there: bool, expected: int
) -> None:
    epochs, size = tmp_path / "epochs", BYTES // 5

    def draw(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))

    for number in range(2 * there):
        draw(epochs / f"{number:03}" / "samples.png")
    clock, said = Clock(), list[str]()
    pictures = Pictures("auto", said.append, clock, there=drawn_before(epochs))
    for number in range(10, 20):
        clock.now += 1e6
        pictures.offer(epochs / f"{number:03}" / "samples.png", draw)
    assert len(list(epochs.glob("01*/samples.png"))) == expected
    assert len(said) == 1
