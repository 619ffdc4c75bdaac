"""onnxsim in its child process, and children in its place that misbehave."""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest

from clf_cli.engine.onnx_child import Limits
from clf_cli.engine.onnx_simplify import simplified, simplifier
from clf_cli.errors import ExportError, RunError
from clf_cli.models.onnx import onnx_logits
from tests.onnx_models import linear, write_onnx_file

FULL = Path("/dev/full")
LIMITS = Limits(seconds=120, megabytes=8192)


def child(code):
    """A process in onnxsim's place: `code` sees IN and OUT."""
    return (sys.executable, "-c", f"import sys; IN, OUT = sys.argv[1:]; {code}")


@pytest.fixture
def source(tmp_path):
    return write_onnx_file(tmp_path / "model.onnx")


def test_the_answers_stay(source, tmp_path, capfd):
    simplified(source, tmp_path / "simple.onnx", LIMITS)
    images = np.random.default_rng(0).standard_normal((3, 3, 8, 12), dtype=np.float32)
    np.testing.assert_allclose(onnx_logits(tmp_path / "simple.onnx")[0](images), linear()(images), atol=1e-5)
    assert onnx.load(source).graph.node[0].op_type == "ReduceMean", "the original is untouched"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it crashed (signal 11, SIGSEGV)"),
        ("import time; time.sleep(60)", "it did not finish within 1 s"),
        ("sys.exit('its result disagrees')", "it failed: its result disagrees"),
        ("pass", "it wrote no file"),
        ("open(OUT, 'w').close()", "it wrote no file"),
    ],
)
def test_a_child_that_fails_is_told_in_a_clause(source, tmp_path, code, said, capfd):
    limits = Limits(1 if "sleep" in code else 60, 8192)
    with pytest.raises(ExportError) as caught:
        simplified(source, tmp_path / "out.onnx", limits, child(code))
    assert caught.value.message == said
    assert capfd.readouterr() == ("", "")


def test_a_file_that_onnxsim_cannot_read(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no ONNX")
    with pytest.raises(ExportError, match=r"^it failed: .*Error"):
        simplified(tmp_path / "model.onnx", tmp_path / "out.onnx", LIMITS)
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no address-space limit")
def test_memory(source, tmp_path):
    """The real onnxsim in less memory than it needs to start."""
    with pytest.raises(ExportError, match=r"^it (needs more than the 64 MB|crashed|failed)"):
        simplified(source, tmp_path / "out.onnx", Limits(120, 64))


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk(source):
    with pytest.raises(RunError, match="No space left on device"):
        simplified(source, FULL, LIMITS)


def test_name():
    assert simplifier() == f"onnxsim {version('onnxsim')}"
