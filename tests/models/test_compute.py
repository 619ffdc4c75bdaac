"""Threads, workers, device and precision that fit the machine."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clf_cli.errors import UsageError
from clf_cli.models.compute import Compute, apply, available_cores, compute_for, physical_cores, resolve_compute
from clf_cli.settings.sections import ComputeSection

counts = st.integers(1, 96)
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@pytest.fixture(autouse=True)
def no_omp(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def on_cpu(cores: int, **asked: object) -> tuple[Compute, tuple[str, ...]]:
    return resolve_compute(ComputeSection(device="cpu", **asked), cores)


def cpuinfo(path: Path, places: list[tuple[int, int]]) -> Path:
    blocks = [
        f"processor\t: {index}\nphysical id\t: {socket}\ncore id\t\t: {core}\nflags : a b"
        for index, (socket, core) in enumerate(places)
    ]
    path.write_text("\n\n".join(blocks) + "\n\n")
    return path


@given(cores=counts, threads=st.none() | counts, workers=st.none() | st.integers(0, 96))
def test_threads_and_workers_never_exceed_the_cores(cores, threads, workers):
    compute, notes = on_cpu(cores, threads=threads or "auto", workers="auto" if workers is None else workers)

    assert compute.threads >= 1
    assert compute.workers >= 0
    assert compute.threads + compute.workers <= cores
    changed = [(threads, compute.threads), (workers, compute.workers)]
    assert len(notes) == sum(asked is not None and asked != given_ for asked, given_ in changed)


@given(cores=counts)
def test_by_itself_a_cpu_keeps_half_of_its_cores_for_math(cores):
    compute, notes = on_cpu(cores)

    assert compute.workers <= min(8, cores // 2)
    assert notes == ()
    assert compute.workers == 0 or cores > 2


def test_what_is_asked_holds_where_it_fits():
    compute, notes = on_cpu(8, threads=3, workers=5)

    assert (compute.threads, compute.workers, notes) == (3, 5, ())


def test_what_does_not_fit_is_lowered_and_said():
    compute, notes = on_cpu(4, threads=3, workers=5)

    assert (compute.threads, compute.workers) == (3, 1)
    assert notes == ("--workers 5 became 1: this process has 4 cores.",)


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("3,2", 3), ("99", 12), ("x", None), ("0", None)])
def test_omp_num_threads_is_taken_as_far_as_the_cores_reach(monkeypatch, value, threads):
    default = on_cpu(16)[0].threads
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    compute, _ = on_cpu(16)

    assert compute.workers == 4
    assert compute.threads == (threads or default)


def test_a_thread_that_is_asked_for_wins_over_omp_num_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    assert on_cpu(8, threads=4)[0].threads == 4


@pytest.mark.parametrize(
    ("places", "cores", "physical"),
    [
        ([(0, 0), (0, 0), (0, 1), (0, 1)], 4, 2),  # two threads a core
        ([(0, 0), (0, 1), (1, 0), (1, 1)], 4, 4),  # two sockets whose cores are numbered alike
        ([(0, 0), (0, 0), (0, 1), (0, 1)], 1, 1),  # only one of them is ours
        ([(0, 0), (0, 0), (0, 1), (0, 1)], 2, 1),
    ],
)
def test_second_threads_of_a_core_do_not_count(tmp_path, places, cores, physical):
    assert physical_cores(cores, cpuinfo(tmp_path / "cpuinfo", places)) == physical


@pytest.mark.parametrize("text", [None, "", "processor : 0\n\nprocessor : 1\n", "no colon here"])
def test_physical_cores_without_a_word_of_the_system_are_some(tmp_path, text):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)

    assert 4 <= physical_cores(8, tmp_path / "cpuinfo") <= 8
    assert physical_cores(1, tmp_path / "cpuinfo") == 1


def test_this_process_has_cores():
    assert available_cores() >= 1


@without_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there_is_a_usage_error(device):
    with pytest.raises(UsageError, match=device) as caught:
        resolve_compute(ComputeSection(device=device))
    assert "cpu" in caught.value.hint
    assert caught.value.exit_code == 2


@without_gpu
@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has mps")
def test_auto_is_the_cpu_where_there_is_nothing_else():
    compute, _ = resolve_compute(ComputeSection())

    assert (compute.device, compute.precision) == ("cpu", "fp32")


@pytest.mark.parametrize(("asked", "given_"), [("auto", "fp32"), ("fp32", "fp32"), ("bf16", "bf16")])
def test_precision_on_a_cpu(asked, given_):
    assert on_cpu(2, precision=asked)[0].precision == given_


def test_fp16_on_a_cpu_is_a_usage_error():
    with pytest.raises(UsageError, match="fp16 needs a GPU") as caught:
        on_cpu(2, precision="fp16")
    assert "bf16" in caught.value.hint


def test_the_rest_of_the_section_is_kept():
    compute, _ = on_cpu(2, seed=7, channels_last=False, deterministic=True)

    assert (compute.seed, compute.channels_last, compute.deterministic) == (7, False, True)


def test_applying_sets_torchs_threads():
    before = torch.get_num_threads()
    try:
        apply(Compute("cpu", before + 1, 0, "fp32", 0, True, False))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_an_onnx_file_gets_a_cpu_without_torch():
    code = (
        "import sys; from pathlib import Path; from clf_cli.models.compute import compute_for;"
        "from clf_cli.settings.sections import ComputeSection;"
        "print(compute_for(Path('m.ONNX'), ComputeSection(device='cuda'))[0].device, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["cpu", "False"]
    assert compute_for(Path("run"), ComputeSection(device="cpu"))[0].device == "cpu"
