"""onnxsim in a process of its own, with limits: it is native code that may crash or hang, and must not take clf along.

`python -m clf_cli.engine.onnx_simplify IN OUT MEGABYTES` is the child.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CHILD = (sys.executable, "-m", "clf_cli.engine.onnx_simplify")
SECONDS = 300.0
MEGABYTES = 4096


def simplified(source: Path, target: Path, child: Sequence[str] = CHILD, seconds: float = SECONDS) -> str | None:
    """Writes the simplified `source` to `target`; returns None, or why there is no usable file.

    The child may use 4 GB of addresses, or eight times the file if that is more (not limited on Windows).
    """
    megabytes = max(MEGABYTES, 8 * source.stat().st_size // 2**20)
    try:
        done = subprocess.run(
            [*child, str(source), str(target), str(megabytes)], capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"onnxsim did not finish within {seconds:.0f} s"
    if done.returncode < 0:
        return f"onnxsim crashed (signal {-done.returncode})"
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return f"onnxsim failed (exit {done.returncode}){': ' + said[-1] if said else ''}"
    return None if target.is_file() and target.stat().st_size else "onnxsim wrote no file"


def main(arguments: Sequence[str]) -> int:
    source, target, megabytes = arguments
    _limit_memory(int(megabytes))
    import onnx  # after the limit, and only in the child
    import onnxsim

    model, agrees = onnxsim.simplify(onnx.load(source))
    if not agrees:
        print("its result disagrees with its input", file=sys.stderr)  # noqa: T201 - the child's answer to its parent
        return 1
    onnx.save(model, target)
    return 0


def _limit_memory(megabytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource  # POSIX only

    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
