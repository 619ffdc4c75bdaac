"""What an ONNX file may ask of this machine: a walk of ours and ONNX's checker look before anything of it runs."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from threading import Lock
from typing import Any

from clf_cli.errors import ModelError, first_line
from clf_cli.models.onnx_outline import outline
from clf_cli.models.onnx_outside import Message, messages, not_onnx, varint

MOST_BYTES = (1 << 31) - 1  # protobuf's own limit
MOST_NODES = 100_000  # the largest networks of timm have some thousand
MOST_GRAPHS = 8  # one inside another
MOST_METADATA = 1 << 24  # bytes
ENDLESS = frozenset({"Loop", "Scan", "SequenceMap"})  # operators whose time no reader of the graph can tell
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # whose operators ONNX Runtime brings
_UNTOLD = "Field 'shape' of 'type' is required"  # of an output; ONNX Runtime finds it out
_PACKED = 8  # numbers in a byte, at most
_OP_TYPE, _OP_DOMAIN, _FUNCTION_DOMAIN, _METADATA = 4, 7, 10, 14
_DIMS, _NUMBERS = 1, frozenset({4, 5, 6, 7, 9, 10, 11})  # of a tensor: its shape, and where its numbers may stand
_EXTERNAL = 13


def check_limits(path: Path) -> None:
    """Raises ModelError (exit 4) for a file that is larger than protobuf allows, has too many nodes or graphs inside
    graphs, operators that are not ONNX Runtime's own or may never end, too many metadata, tensors with fewer numbers
    than their shape says, or that ONNX's checker rejects. A file that was checked is not checked again.
    """
    status = path.stat()
    _check(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _check(path: Path, size: int, _: int) -> None:
    if size > MOST_BYTES:
        raise ModelError(f"{path} has {size:,} bytes: {MOST_BYTES:,} at most.", _HINT)
    try:
        reason = _reason(path)
    except ValueError as error:
        raise not_onnx(path) from error
    if reason:
        raise ModelError(f"{path} is refused, and nothing of it was run: {reason}.", _HINT)
    _check_form(path)


def _check_form(path: Path) -> None:
    checker = _native().checker
    try:  # the weights' numbers, which it does not look at, would be copied twice: 75 ms of a resnet18
        checker.check_model(outline(path), False, False, False)
    except Exception:  # the file itself says why  # noqa: BLE001 - of several kinds, by what is broken
        _check_whole(path, checker)


def _check_whole(path: Path, checker: Any) -> None:
    try:
        checker.check_model_path(str(path), False, False, False)  # as onnx.checker.check_model calls it
    except Exception as error:  # of several kinds, by what is broken
        if _UNTOLD in str(error):
            return
        if "parse" in str(error):
            raise not_onnx(path) from error
        raise ModelError(f"{path} is refused by ONNX's checker: {first_line(error)}", _HINT) from error


_NATIVE = "onnx.onnx_cpp2py_export"
_loading = Lock()


def _native() -> Any:
    """ONNX's compiled code, where its checker is, without the package around it, whose import takes 25 ms and more at
    the end of the process. `import onnx` finds it loaded later on."""
    with _loading:
        package = None if {"onnx", _NATIVE} & sys.modules.keys() else find_spec("onnx")
        found = PathFinder.find_spec(_NATIVE, package.submodule_search_locations) if package else None
        if found is not None and found.loader is not None:
            sys.modules[_NATIVE] = module = module_from_spec(found)
            try:
                found.loader.exec_module(module)
            except BaseException:
                del sys.modules[_NATIVE]
                raise
        elif _NATIVE not in sys.modules:
            import onnx  # noqa: F401 - it loads the compiled code
    return sys.modules[_NATIVE]


_HINT = "clf reads image classifiers of ONNX's own operators; export it again without the rest."


def _reason(path: Path) -> str | None:
    """Why the file is refused. Raises ValueError for what is no whole protobuf."""
    nodes = 0
    used: dict[str, str] = {}  # other domains, with an operator of each
    own: set[str] = set()  # domains of the file's own functions
    for message in messages(path):
        if message.kind == "Node":
            nodes += 1
            domain, kind = next(message.texts(_OP_DOMAIN), ""), next(message.texts(_OP_TYPE), "")
            if kind in ENDLESS:
                return f"its operator {kind} may never end"
            if domain not in DOMAINS:
                used[domain] = kind
        own |= set(message.texts(_FUNCTION_DOMAIN)) if message.kind == "Function" else set()
        if message.graphs > MOST_GRAPHS:
            return f"it has more than {MOST_GRAPHS} graphs inside each other"
        if nodes > MOST_NODES:
            return f"it has more than {MOST_NODES:,} nodes"
        if message.kind == "Tensor" and (reason := _of_tensor(message)):
            return reason
        if message.kind == "Model" and (reason := _of_metadata(message)):
            return reason
    foreign = next((f"{domain}.{kind}" for domain, kind in used.items() if domain not in own), None)
    return (
        f"its operator {foreign!r} is neither ONNX's nor ONNX Runtime's, and clf loads no libraries"
        if foreign
        else None
    )


def _of_metadata(model: Message) -> str | None:
    size = sum(end - start for number, _, start, end in model.fields if number == _METADATA)
    return f"its metadata have {size:,} bytes: {MOST_METADATA:,} at most" if size > MOST_METADATA else None


def _of_tensor(tensor: Message) -> str | None:
    """Of one in another file only the sign counts: models/onnx_outside.py holds its length against that file's."""
    shape = list(_shape(tensor))
    count = 1
    for side in shape:
        count *= side
    stored = sum(end - start or 1 for number, _, start, end in tensor.fields if number in _NUMBERS)
    outside = any(number == _EXTERNAL for number, _, _, _ in tensor.fields)
    if any(side < 0 for side in shape) or count > (MOST_BYTES * _PACKED if outside else stored * _PACKED):
        return f"it has a tensor of shape {shape[:8]} with {stored:,} bytes"
    return None


def _shape(tensor: Message) -> Iterator[int]:
    """Its numbers stand in fields of their own, or all of them in one."""
    for number, _, start, end in tensor.fields:
        place = start if number == _DIMS else end
        while place < end:
            side, place = varint(tensor.content, place, end)
            yield _signed(side)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


@contextlib.contextmanager
def bounded_memory(session_providers: Sequence[str]) -> Iterator[None]:
    """An allocation beyond what the machine has free fails, instead of having the system kill some process.

    On Linux and the CPU alone: the drivers of GPUs map addresses that they never fill.
    """
    if sys.platform != "linux" or tuple(session_providers) != ("CPUExecutionProvider",):
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _in_use() + _free()
    if hard != resource.RLIM_INFINITY or soft != resource.RLIM_INFINITY:
        most = min(most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _in_use() -> int:
    """Bytes of data that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * _page()


def _free() -> int:
    text = Path("/proc/meminfo").read_text()
    return int(text.partition("MemAvailable:")[2].split()[0]) << 10


def _page() -> int:
    import resource

    return resource.getpagesize()
