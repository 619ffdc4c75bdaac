"""Memory that is freed is used again, with no page cleared twice."""

import resource
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
if sys.argv[1] == "kept":
    from clf_cli.models.malloc import keep_freed_memory
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_size_t,), (ctypes.c_void_p,)
for turn in range(9):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's option")
def test_a_large_block_that_was_freed_costs_no_new_pages() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    pages = 8 * (64 << 20) // resource.getpagesize()
    assert faults["kept"] < pages / 100
    if faults["given back"] < pages / 100:
        pytest.skip("this C library keeps freed memory by itself")
    assert faults["kept"] < faults["given back"] / 10
