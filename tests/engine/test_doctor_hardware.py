"""Processor, memory and devices."""

import sys

import torch

from clf_cli.engine import doctor_hardware
from clf_cli.engine.doctor_hardware import _memory, _processor, hardware
from clf_cli.models.compute import resolve_compute
from clf_cli.settings.sections import ComputeSection


def test_what_auto_chooses_is_told():
    section = ComputeSection(device="cpu")
    checks, compute = hardware(section)
    expected, _ = resolve_compute(section)
    told = next(check for check in checks if check.name == "clf train takes")
    assert compute == expected
    assert told.value == f"cpu, fp32, --threads {expected.threads}, --workers {expected.workers}"


def test_the_processor_is_timed_in_both_precisions():
    checks, _ = hardware(ComputeSection(device="cpu"))
    cpu = next(check for check in checks if check.name == "cpu")
    assert [part.split()[0] for part in cpu.value.split(", ")] == ["fp32", "bf16"]


def test_a_device_that_is_not_there_is_a_problem():
    checks, compute = hardware(ComputeSection(device="cuda:7"))
    assert compute is None
    assert [(check.name, check.status) for check in checks if check.status == "problem"] == [("device", "problem")]


def test_what_the_cores_do_not_allow_is_a_warning():
    checks, _ = hardware(ComputeSection(device="cpu", threads=512))
    assert any(check.status == "warning" and "--threads 512 became" in check.value for check in checks)


def test_a_driver_without_a_device(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    checks, _ = hardware(ComputeSection(device="cpu"))
    cuda = next(check for check in checks if check.name == "cuda")
    assert cuda.status == "warning"
    assert torch.__version__ in cuda.value


def test_a_torch_that_cannot_be_imported_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    checks, compute = hardware(ComputeSection())
    broken = next(check for check in checks if check.name == "torch")
    assert (compute, broken.status) == (None, "problem")
    assert "cannot be imported" in broken.value


def test_a_precision_that_fails_is_a_warning(monkeypatch):
    def fails(matrix):
        raise RuntimeError("no kernel image\nfor this device")

    monkeypatch.setattr(doctor_hardware, "_seconds", fails)
    checks, _ = hardware(ComputeSection(device="cpu"))
    cpu = next(check for check in checks if check.name == "cpu")
    assert (cpu.value, cpu.status) == ("no kernel image", "warning")


def test_features_of_the_processor(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name : A chip\nflags : fpu avx2 avx512_bf16 sse\n\n")
    assert _processor(tmp_path / "cpuinfo").value.startswith("A chip, cores for this process:")
    assert _processor(tmp_path / "cpuinfo").value.endswith("avx2 avx512_bf16")
    assert "cores for this process" in _processor(tmp_path / "nowhere").value


def test_memory_of_machine_and_container(tmp_path):
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: 8000000 kB\n")
    assert (_memory(meminfo, ()).value, _memory(meminfo, ()).status) == ("8.2 GB free of 16.4 GB", "ok")
    limit.write_text("max\n")
    assert _memory(meminfo, (limit,)).status == "ok"
    limit.write_text("1000000000\n")
    small = _memory(meminfo, (limit, tmp_path / "nowhere"))
    assert small.status == "warning"
    assert small.value.endswith("1.0 GB for this container")
    assert _memory(tmp_path / "nowhere", ()).status == "ok"
