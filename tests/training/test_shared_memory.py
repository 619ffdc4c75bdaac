"""Workers that the shared memory has room for."""

from dataclasses import replace
from pathlib import Path

import pytest

from clf_cli.data.workers import AHEAD
from clf_cli.errors import RunError
from clf_cli.training.shared_memory import batch_bytes, with_shared_memory
from clf_cli.training.start import Start
from clf_cli.values.predictions import EVAL_BATCH
from tests.starts import tiny_start


@pytest.fixture
def start(tiny_dataset: Path, tmp_path: Path) -> Start:
    """With 4 workers that `auto` became."""
    start = tiny_start(tiny_dataset, tmp_path / "runs")
    compute = start.settings.compute.model_copy(update={"workers": "auto"})
    return with_workers(replace(start, settings=start.settings.model_copy(update={"compute": compute})), 4)


def with_workers(start: Start, workers: int) -> Start:
    record, compute = replace(start.record, workers=workers), replace(start.compute, workers=workers)
    return replace(start, record=record, compute=compute)


def asked_for(start: Start, workers: int) -> Start:
    compute = start.settings.compute.model_copy(update={"workers": workers})
    return replace(with_workers(start, workers), settings=start.settings.model_copy(update={"compute": compute}))


def test_a_batch_is_the_larger_of_train_and_val(start: Start) -> None:
    assert batch_bytes(start) == EVAL_BATCH * 3 * 32 * 32 * 4


@pytest.mark.parametrize("fitting", [0, 1, 3])
def test_auto_becomes_what_fits_and_says_so(start: Start, fitting: int) -> None:
    free = batch_bytes(start) * AHEAD * (fitting + 1) - 1
    found = with_shared_memory(start, free)
    assert (found.compute.workers, found.record.workers) == (fitting, fitting)
    (note,) = set(found.notes) - set(start.notes)
    assert f"became {fitting} instead of 4" in note


def test_a_number_that_was_asked_for_is_refused_with_the_one_that_fits(start: Start) -> None:
    with pytest.raises(RunError) as told:
        with_shared_memory(asked_for(start, 4), batch_bytes(start) * AHEAD * 3)
    assert "--workers 3" in str(told.value.hint)


def test_where_there_is_room_nothing_changes(start: Start) -> None:
    free = batch_bytes(start) * AHEAD * 4
    assert with_shared_memory(start, free) is start
    assert with_shared_memory(asked_for(start, 4), free).compute.workers == 4
    none = with_workers(start, 0)
    assert with_shared_memory(none, 0) is none
