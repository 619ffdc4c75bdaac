"""Silence around noisy tools, in Python and in native code, and everything as before afterwards."""

import ctypes
import logging
import os
import subprocess
import sys
import warnings

import pytest

from clf_cli.engine.onnx_quiet import quiet


def test_nothing_comes_out_and_what_came_before_does(capfd):
    print("before", flush=False)
    with quiet():
        print("printed")
        print("printed", file=sys.stderr)
        os.write(1, b"written")
        os.write(2, b"written")
        if sys.platform != "win32":
            ctypes.CDLL(None).puts(b"by native code, into its buffer")
        warnings.warn("an error in these tests", stacklevel=1)
        logging.getLogger("torch.onnx").critical("logged")
    print("after")
    out, err = capfd.readouterr()
    assert out == "before\nafter\n"
    assert err == ""


def test_all_is_as_before_after_an_error(caplog):
    streams, filters, disabled = (sys.stdout, sys.stderr), tuple(warnings.filters), logging.root.manager.disable
    with pytest.raises(ZeroDivisionError), quiet():
        raise ZeroDivisionError
    assert (sys.stdout, sys.stderr) == streams
    assert tuple(warnings.filters) == filters
    assert logging.root.manager.disable == disabled
    logging.getLogger("clf").warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
def test_closed_streams():
    """A service's own; what it opens next may have their numbers."""
    code = (
        "import os; os.close(1); os.close(2)\n"
        "from clf_cli.engine.onnx_quiet import quiet\n"
        "with quiet(): pass\n"
        "os._exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7
