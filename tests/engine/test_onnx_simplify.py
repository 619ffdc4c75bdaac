"""onnxsim in its child process, and children that misbehave."""

import sys

import numpy as np
import onnx
import pytest

from clf_cli.engine.onnx_simplify import simplified
from clf_cli.models.onnx import onnx_logits
from tests.onnx_models import linear, write_onnx_file


def child(code):
    """A process in onnxsim's place: `code` sees IN, OUT and MEGABYTES."""
    return (sys.executable, "-c", f"import sys; IN, OUT, MEGABYTES = sys.argv[1:]; {code}")


@pytest.fixture
def source(tmp_path):
    return write_onnx_file(tmp_path / "model.onnx")


def test_the_answers_stay(source, tmp_path):
    assert simplified(source, tmp_path / "simple.onnx") is None
    images = np.random.default_rng(0).standard_normal((3, 3, 8, 12), dtype=np.float32)
    np.testing.assert_allclose(onnx_logits(tmp_path / "simple.onnx")[0](images), linear()(images), atol=1e-5)
    assert onnx.load(source).graph.node[0].op_type == "ReduceMean", "the original is untouched"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (signal 11)"),
        ("import time; time.sleep(60)", "did not finish within 1 s"),
        ("sys.exit('its result disagrees')", "exit 1): its result disagrees"),
        ("raise MemoryError", "MemoryError"),
        ("pass", "wrote no file"),
        ("open(OUT, 'w').close()", "wrote no file"),
    ],
)
def test_a_child_that_fails_is_told_in_a_sentence(source, tmp_path, code, said, capfd):
    problem = simplified(source, tmp_path / "out.onnx", child(code), seconds=1.0 if "sleep" in code else 60.0)
    assert problem is not None
    assert said in problem
    assert "\n" not in problem
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no address-space limit")
def test_the_limit_bites(source, tmp_path):
    code = (
        "from clf_cli.engine.onnx_simplify import _limit_memory; _limit_memory(int(MEGABYTES)); "
        "bytes(int(MEGABYTES) * 2**20)"
    )
    assert "MemoryError" in (simplified(source, tmp_path / "out.onnx", child(code)) or "")
