"""last.ckpt and prev.ckpt: at every moment one of them is whole."""

import os
from pathlib import Path

import pytest
import torch

from clf_cli.errors import UnwritableError
from clf_cli.models import torch_files
from clf_cli.models.torch_files import load_torch
from clf_cli.training.checkpoint_io import AtomicCheckpointIO
from clf_cli.values.run_dir import RunDir


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path)
    run.checkpoints.mkdir()
    return run


def save(run: RunDir, number: int) -> None:
    AtomicCheckpointIO(run).save_checkpoint({"number": torch.tensor(number)}, run.last)


def numbers(run: RunDir) -> list[int]:
    return [int(load_torch(path, "checkpoint")["number"]) for path in (run.last, run.previous) if path.exists()]


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_the_one_before_is_kept(run: RunDir, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse)  # as exFAT and some network shares do
    for number, expected in ((1, [1]), (2, [2, 1]), (3, [3, 2])):
        save(run, number)
        assert numbers(run) == expected
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["last.ckpt", "prev.ckpt"]


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_one_that_cannot_be_saved_leaves_last(run: RunDir, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    save(run, 1)
    save(run, 2)
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "fsync", refuse)  # the disk did not take it
    with pytest.raises(UnwritableError, match="Operation not permitted"):
        save(run, 3)
    monkeypatch.undo()
    assert numbers(run)[0] == 2
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["last.ckpt", "prev.ckpt"]


def test_another_checkpoint_rotates_nothing(run: RunDir) -> None:
    save(run, 1)
    AtomicCheckpointIO(run).save_checkpoint({"number": torch.tensor(2)}, run.step_checkpoint(2))
    assert numbers(run) == [1]


@pytest.mark.parametrize("advice", ["taken", "refused"])
def test_a_large_file_that_is_begun_early_is_whole(run: RunDir, monkeypatch: pytest.MonkeyPatch, advice: str) -> None:
    monkeypatch.setattr(torch_files, "AHEAD", 10_000)
    heard = list[tuple[int, int]]()

    def hear(_: int, first: int, size: int, __: int) -> None:
        heard.append((first, first + size))
        if advice == "refused":
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", hear, raising=False)
    numbers = {str(count): torch.arange(count) for count in (1, 5_000, 20_000)}
    AtomicCheckpointIO(run).save_checkpoint(numbers, run.last)
    found = load_torch(run.last, "checkpoint")
    assert all(torch.equal(found[name], tensor) for name, tensor in numbers.items())
    assert [first for first, _ in heard] == [0, *(end for _, end in heard[:-1])]
    assert 190_000 < heard[-1][1] <= run.last.stat().st_size
