"""`--workers auto`: what a run decides, and what it keeps when it goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clf_cli.data.knobs import PRESETS
from clf_cli.models.compute import Compute
from clf_cli.settings.sections import ComputeSection
from clf_cli.training import image_workers
from clf_cli.training.image_workers import share_of_images, with_workers, workers_again, workers_beside
from clf_cli.training.start import Start
from clf_cli.values.preprocess import Preprocess
from tests.starts import tiny_start

Cores = Callable[[int], None]


@pytest.fixture
def start(tiny_dataset: Path, tmp_path: Path) -> Start:
    start = tiny_start(tiny_dataset, tmp_path / "runs")
    return asking(start, workers="auto", threads="auto")


def asking(start: Start, **changes: object) -> Start:
    compute = start.settings.compute.model_copy(update=changes)
    return replace(start, settings=start.settings.model_copy(update={"compute": compute}))


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Cores:
    """A machine with so many cores, none a second thread of another."""

    def made(count: int) -> None:
        monkeypatch.setattr(image_workers, "available_cores", lambda: count)
        monkeypatch.setattr("clf_cli.models.compute.available_cores", lambda: count)
        monkeypatch.setattr("clf_cli.models.compute.physical_cores", lambda cores: cores)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    return made


@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_a_set_that_is_kept_leaves_all_cores_to_the_math(start: Start, cores: Cores, count: int) -> None:
    cores(count)
    found = with_workers(start)
    assert (found.compute.workers, found.compute.threads) == (0, count)
    assert (found.record.workers, found.record.threads) == (0, count)
    assert found.notes[-1].startswith("--workers auto: 0, for ")
    assert found.notes[:-1] == start.notes


def test_files_that_every_epoch_reads_have_a_worker(start: Start, cores: Cores) -> None:
    cores(16)
    found = with_workers(asking(start, cache="none"))
    assert found.compute.workers >= 1
    assert found.compute.workers + found.compute.threads == 16
    assert "every epoch reads the files" in found.notes[-1]


def test_a_number_that_was_asked_for_stays(start: Start, cores: Cores) -> None:
    cores(16)
    asked = asking(start, workers=3)
    assert with_workers(asked) is asked


def test_workers_keep_up_with_the_cores_that_train() -> None:
    for cores in (4, 8, 16, 64):
        for share in (0.01, 0.1, 0.5, 2.0):
            workers = workers_beside(cores, share, kept=False)
            assert 1 <= workers <= min(8, cores // 2)
            enough = workers >= share * (cores - workers) - 1  # but for rounding
            assert enough or workers == min(8, cores // 2)
    assert workers_beside(2, 2.0, kept=False) == 0
    assert workers_beside(16, 0.01, kept=True) == 0


def test_large_files_and_worse_pictures_take_longer(start: Start) -> None:
    def share(augment: str, side: int, *, kept: bool) -> float:
        files = {path: replace(facts, width=side, height=side) for path, facts in start.dataset.files.items()}
        dataset = replace(start.dataset, files=files)
        return share_of_images(dataset, Preprocess(96, 96), PRESETS[augment], kept=kept)

    assert share("basic", 400, kept=True) == share("basic", 4000, kept=True) < share("ocr", 400, kept=True)
    assert share("basic", 400, kept=True) < share("basic", 400, kept=False) < share("basic", 4000, kept=False)


@pytest.mark.parametrize(("here", "expected"), [(16, 3), (10, 2), (8, 0), (2, 0)])
def test_a_run_that_goes_on_has_its_workers_as_far_as_the_cores_reach(cores: Cores, here: int, expected: int) -> None:
    cores(here)
    compute = Compute("cpu", 8, 5, "fp32", 0, channels_last=True, deterministic=False)
    assert workers_again(compute, ComputeSection(), 3).workers == expected
    assert workers_again(compute, ComputeSection(workers=5), 3) is compute
