"""The stopwatch: forms that take known time, in turns, in every case."""

import time
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pytest

from clf_cli.engine.benchmark import TURNS, BenchmarkResult, Form, Opened, Timing, benchmark, inputs_of
from clf_cli.errors import ModelError, RunError
from clf_cli.settings.onnx_sections import BenchmarkSection

CORES = 64  # so many that no test asks for more by accident


@dataclass
class Called:
    """What was asked of forms, in order."""

    opened: list[tuple[str, int]] = field(default_factory=list)
    batches: list[tuple[str, np.ndarray]] = field(default_factory=list)

    def form(self, name="a", milliseconds=0.0, shape=(3, 4, 5), dtype="float32", wait=time.sleep):
        def opened(threads):
            self.opened.append((name, threads))

            def answer(images):
                self.batches.append((name, images))
                wait(milliseconds / 1e3)

            return answer

        return Form(name, f"{name}.onnx", 1000, shape, dtype, opened)


def work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def measured(*forms, **section):
    settings = {"batch_sizes": (2,), "threads": (1,), "seconds": 0.02} | section
    return benchmark(forms, BenchmarkSection(**settings), None, CORES)


@pytest.mark.parametrize("threads", [1, 2])
def test_times_rates_and_ratios(threads):
    called = Called()
    forms = called.form("slow", 9, wait=work), called.form("fast", 3, wait=work)
    slow, fast = measured(*forms, threads=(threads,), batch_sizes=(4,), seconds=0.06).timings
    assert slow.ratio == 1
    assert 0.009 <= slow.cpu_p50 <= 1.001 * slow.latency_p50  # two clocks, read one after the other
    assert slow.latency_p50 <= slow.latency_p95
    assert 0.003 <= fast.cpu_p50 < slow.cpu_p50
    assert fast.images_per_second <= 4 / 0.003
    for timing in (slow, fast):
        assert timing.calls / timing.images_per_second * 4 >= 0.06  # seconds of each form
        assert timing.calls >= TURNS
    if threads == 1:
        assert fast.ratio == pytest.approx(slow.cpu_p50 / fast.cpu_p50)
        assert fast.ratio == pytest.approx(3, rel=0.2)
    else:
        assert fast.ratio == pytest.approx(slow.latency_p50 / fast.latency_p50)


def test_waiting_for_other_processes_does_not_enter_the_ratio_of_one_thread():
    def interrupted(seconds):
        work(seconds)
        time.sleep(0.01)

    quiet, beside = measured(Called().form("a", 4, wait=work), Called().form("b", 4, wait=interrupted)).timings
    assert beside.latency_p50 > quiet.cpu_p50 + 0.01
    assert beside.ratio == pytest.approx(1, rel=0.2)


def test_a_median_does_not_see_what_the_95th_percentile_sees():
    times = iter([0.0] * 22 + [0.02] * 2 + [0.0] * 1000)
    result = measured(Called().form(wait=lambda _: time.sleep(next(times))), seconds=1e-9)
    (timing,) = result.timings
    assert timing.calls == TURNS
    assert timing.latency_p50 < 0.01
    times = iter([0.0] * 10 + [0.02] * 2 + [0.0] * 1000)
    (timing,) = measured(Called().form(wait=lambda _: time.sleep(next(times))), seconds=1e-9).timings
    assert timing.latency_p50 < 0.01 < timing.latency_p95


def test_forms_take_turns():
    """As long ones, whatever a call takes."""
    called = Called()
    measured(called.form("a", 5), called.form("b", wait=abs), seconds=0.02)
    turns = [(name, len(list(turn))) for name, turn in groupby(name for name, _ in called.batches)]
    assert [name for name, _ in turns] == ["a", "b"] * (1 + TURNS)  # to warm up, and then in each turn
    slow, fast = (sum(calls for name, calls in turns if name == wanted) for wanted in "ab")
    assert fast > 2 * slow


def test_every_case_once_and_each_number_of_threads_opened_once():
    called = Called()
    result = measured(called.form("a"), called.form("b"), batch_sizes=(3, 1, 3), threads=(2, 1, 2), seconds=1e-9)
    assert result.cases == ((2, 3), (2, 1), (1, 3), (1, 1))
    assert [timing.form for timing in result.of(2, 1)] == ["a", "b"]
    assert called.opened == [("a", 2), ("b", 2), ("a", 1), ("b", 1)]
    assert [size for size, _ in groupby(len(batch) for _, batch in called.batches)] == [3, 1, 3, 1]


@pytest.mark.parametrize(("shape", "dtype"), [((3, 8, 12), "float32"), ((8, 12, 3), "uint8"), ((3, 2, 2), "float16")])
def test_inputs_are_what_the_form_takes(shape, dtype):
    called = Called()
    measured(called.form(shape=shape, dtype=dtype), batch_sizes=(7,), seconds=1e-9)
    for _, batch in called.batches:
        assert (batch.shape, batch.dtype) == ((7, *shape), dtype)
    batch = inputs_of(shape, dtype, 7)
    assert np.isfinite(batch.astype(np.float64)).all()
    assert len(np.unique(batch)) > 10
    np.testing.assert_array_equal(batch, called.batches[0][1])


def test_the_time_that_opening_takes_is_told_of_the_first():
    def opened(threads):
        time.sleep(0.03 if threads == 1 else 0)
        return lambda images: None

    result = measured(Form("a", "a", 1, (1,), "float32", opened), threads=(1, 2), seconds=1e-9)
    assert result.opened[0].load_seconds >= 0.03


def test_more_threads_than_cores_are_said():
    section = BenchmarkSection(batch_sizes=(1,), threads=(1, 2, 4), seconds=1e-9)
    found = benchmark([Called().form(wait=work, milliseconds=1)], section, None, cores=1).findings
    reasons = [finding["reason"] for finding in found if "share" in finding["reason"]]
    assert reasons == ["2 threads share 1 core of this process", "4 threads share 1 core of this process"]


def timing(threads, core_share):
    return Timing("a", threads, 1, 10, 0.1, 0.2, 0.1, 10.0, 1.0, core_share)


@pytest.mark.parametrize(
    ("timings", "share", "said"),
    [
        ((timing(1, 0.98), timing(1, 0.96)), 0.97, False),
        ((timing(1, 0.3), timing(1, 0.5)), 0.4, True),
        ((timing(1, 0.99), timing(2, 0.4)), 0.99, False),  # of two threads, one may wait for the other
        ((timing(2, 0.4),), None, False),
    ],
)
def test_a_busy_machine_is_said(timings, share, said):
    result = BenchmarkResult(None, (Opened(Called().form(), 0.1),), timings, 2.0, CORES)
    assert result.core_share == (None if share is None else pytest.approx(share))
    reasons = [finding["reason"] for finding in result.findings]
    assert bool(reasons) == said
    if said:
        assert "one thread had a core for 40% of the time" in reasons[0]
        assert "those of more" not in reasons[0]


def test_ratios_of_more_threads_are_not_trusted_on_a_busy_machine():
    result = BenchmarkResult(None, (Opened(Called().form(), 0.1),), (timing(1, 0.3), timing(2, 0.3)), 2.0, CORES)
    assert result.findings[0]["reason"].endswith("hold, those of more may not")


def test_the_share_of_a_core_is_measured():
    asleep, awake = measured(Called().form(milliseconds=5), Called().form("b", 5, wait=work)).timings
    assert asleep.core_share < 0.5
    assert awake.core_share > 2 * asleep.core_share


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")]
)
def test_a_batch_that_does_not_fit_into_memory(error):
    def fail(_):
        raise error

    with pytest.raises(RunError, match="1 thread, batches of 2 do not fit into memory") as raised:
        measured(Called().form(wait=fail))
    assert raised.value.exit_code == 6
    assert raised.value.hint is not None
    assert "--batch-sizes" in raised.value.hint


@pytest.mark.parametrize("error", [ModelError("no"), RuntimeError("a bug")])
def test_other_errors_are_not_about_memory(error):
    def fail(_):
        raise error

    with pytest.raises(type(error)) as raised:
        measured(Called().form(wait=fail))
    assert raised.value is error


def test_the_report():
    result = measured(Called().form(), threads=(1, 2), batch_sizes=(1, 2), seconds=0.01)
    document = result.report.to_json()
    assert (document["kind"], document["model"], document["data"]) == ("benchmark", None, None)
    assert set(document["result"]) == {"baseline", "seconds", "cores", "core_share", "forms", "timings"}
    assert document["result"]["forms"][0]["file"] == "a.onnx"
    assert len(document["result"]["timings"]) == 4
