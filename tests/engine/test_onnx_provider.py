"""Which provider ran the nodes, by ONNX Runtime's own profile; the package here has CPU and Azure, which takes none."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from clf_cli.engine.onnx_check import Evidence, check_onnx, noise
from clf_cli.engine.onnx_provider import PROVIDERS, Placement, Provider, place, provider_named
from clf_cli.errors import ExportError, RunError, UsageError
from clf_cli.models.onnx import onnx_classifier
from clf_cli.settings.onnx_sections import ValidateSection
from tests.onnx_models import CONTRACT, linear, write_onnx_file

PROBE = noise(CONTRACT.preprocess, 1)


def placed(tmp_path, provider, **file):
    return place(write_onnx_file(tmp_path / "model.onnx", **file), provider, PROBE, 1)


def reasons(tmp_path, placement):
    onnx = onnx_classifier(tmp_path / "model.onnx", 1)
    result = check_onnx(onnx, Evidence(linear().classifier(), placement=placement), ValidateSection())
    (check,) = (check for check in result.checks if check.name == "provider")
    assert check.reasons == result.reasons
    return check.reasons


def test_every_provider_that_is_installed_is_known():
    known = {provider.official for provider in PROVIDERS.values()}
    assert set(ort.get_available_providers()) <= known
    assert {provider.name for provider in PROVIDERS.values()} == set(PROVIDERS)


def test_the_cpu_ran_every_node(tmp_path):
    found = placed(tmp_path, PROVIDERS["cpu"])
    assert found.placement.nodes == (("CPUExecutionProvider", 2),)
    assert found.placement.arithmetic_elsewhere == ()
    assert reasons(tmp_path, found.placement) == ()


def test_a_provider_that_takes_no_node_is_found_out(tmp_path):
    found = placed(tmp_path, PROVIDERS["azure"])
    assert found.session.get_providers()[0] == "AzureExecutionProvider", "ONNX Runtime itself says nothing"
    assert found.placement.nodes == (("CPUExecutionProvider", 2),)
    assert found.placement.arithmetic_elsewhere == (("Gemm", 1),)
    (reason,) = reasons(tmp_path, found.placement)
    assert reason == "AzureExecutionProvider ran no node (nodes: CPUExecutionProvider 2)"


def test_arithmetic_that_ran_elsewhere_is_no(tmp_path):
    write_onnx_file(tmp_path / "model.onnx")
    nodes = (("OpenVINOExecutionProvider", 3), ("CPUExecutionProvider", 2))
    mixed = Placement(PROVIDERS["openvino"], nodes, (("Gemm", 1),))
    (reason,) = reasons(tmp_path, mixed)
    assert "left arithmetic to others: 1 Gemm" in reason
    assert reasons(tmp_path, Placement(PROVIDERS["openvino"], nodes)) == (), "shapes and casts may run on the CPU"


def test_a_provider_that_cannot_start_leaves_the_cpu_and_says_why(tmp_path):
    """A name that ONNX Runtime refuses stands for libraries that are not there."""
    with pytest.warns(UserWarning, match="not in available provider names"):
        found = placed(tmp_path, Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu"))
    assert found.placement.nodes == (("CPUExecutionProvider", 2),)
    (reason,) = reasons(tmp_path, found.placement)
    assert "CUDAExecutionProvider ran no node" in reason
    stopped = Placement(PROVIDERS["cuda"], (), (), "libcudnn.so.9: no such file.")
    assert reasons(tmp_path, stopped) == ("CUDAExecutionProvider cannot be used: libcudnn.so.9: no such file",)


def test_the_session_answers_on_after_its_profile_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = placed(tmp_path, PROVIDERS["cpu"])
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    answers = found.session.run(None, {"input": PROBE})[0]
    assert np.abs(answers - linear()(PROBE)).max() < 1e-5
    assert [path.name for path in Path(tmp_path).iterdir()] == ["model.onnx"]


def test_a_file_that_does_not_answer_for_the_probe_has_no_proof(tmp_path):
    assert placed(tmp_path, PROVIDERS["cpu"], batch=2).placement is None


def test_another_provider_that_does_not_answer_for_the_probe_is_not_taken_for_one_that_ran(tmp_path):
    """As where a library is missing that is loaded with the first node; other batch sizes may run on the CPU."""
    found = placed(tmp_path, PROVIDERS["azure"], batch=2).placement
    write_onnx_file(tmp_path / "model.onnx")  # one that answers
    (reason,) = reasons(tmp_path, found)
    assert reason.startswith("AzureExecutionProvider cannot be used: ")
    assert "cannot answer for a batch of 1" in reason


def test_without_a_temporary_folder_the_cpu_runs_without_proof(tmp_path, monkeypatch):
    """As in a container that is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    found = placed(tmp_path, PROVIDERS["cpu"])
    assert found.placement is None
    assert found.session.run(None, {"input": PROBE})[0].shape == (1, 5)
    with pytest.raises(RunError, match="profile") as caught:
        placed(tmp_path, PROVIDERS["azure"])
    assert caught.value.exit_code == 6


def test_names():
    assert provider_named("CPU") is PROVIDERS["cpu"]
    with pytest.raises(UsageError, match="'gpu'") as caught:
        provider_named("gpu")
    assert caught.value.exit_code == 2
    assert all(name in caught.value.hint for name in PROVIDERS)
    with pytest.raises(ExportError, match="has no CUDAExecutionProvider: it has cpu, azure") as refused:
        provider_named("cuda")
    assert refused.value.exit_code == 5
    assert "pip install onnxruntime-gpu" in refused.value.hint
    with pytest.raises(ExportError) as elsewhere:
        provider_named("coreml")
    assert "pip install onnxruntime`" in elsewhere.value.hint
