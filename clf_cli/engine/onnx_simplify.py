"""onnxsim in a process of its own: it is native code that may crash or hang.

`python -m clf_cli.engine.onnx_simplify IN OUT` is the child.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from clf_cli.engine.onnx_child import Limits, child_main, python_module, write_by_child
from clf_cli.errors import ExportError

CHILD = python_module("clf_cli.engine.onnx_simplify")


def simplifier() -> str:
    """Its name and version, as files tell it."""
    return f"onnxsim {version('onnxsim')}"


def simplified(source: Path, target: Path, limits: Limits, child: Sequence[str] = CHILD) -> None:
    """Writes the simplified `source` to `target`.

    Raises ExportError (exit 5), whose message is a clause, RunError (exit 6) where the disk is full.
    """
    write_by_child([*child, str(source), str(target)], target, limits)


def simplify(source: str, target: str) -> None:
    """The child's work. Raises ExportError where onnxsim's own comparison fails."""
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # "not there": half its start, for a part unused here
    import onnx  # only in the child
    import onnxsim

    model, agrees = onnxsim.simplify(onnx.load(source))
    if not agrees:
        raise ExportError("its result disagrees with its input")
    onnx.save(model, target)


if __name__ == "__main__":
    child_main(lambda: simplify(*sys.argv[1:]))
