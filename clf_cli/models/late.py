"""Modules that stand in for large ones while others are imported, and fetch them when they are really asked."""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class LateModule(ModuleType):
    """A stand-in with `ready` attributes; each other attribute is that of the module itself, which is then imported.

    Whoever keeps the stand-in has the module all the same. Names of Python's own (`__file__`) are asked of every module
    now and then, and import nothing.
    """

    def __init__(self, name: str, ready: dict[str, Any]) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None, is_package=True)
        self.__path__: list[str] = []
        self.__dict__.update(ready)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        return getattr(itself(self.__name__), name)


class _OfLateModule(type):
    """Asks the class that another one stands in for, which has no instances before its module is imported."""

    module: str

    def __instancecheck__(cls, value: object) -> bool:
        module = sys.modules.get(cls.module)
        return not isinstance(module, (LateModule, type(None))) and isinstance(value, getattr(module, cls.__name__))

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return getattr(itself(cls.module), cls.__name__)(*arguments, **named)


def late_class(module: str, name: str) -> type:
    """Stands in for a class: for annotations, `isinstance`, and calls, which make one of the class itself."""
    return _OfLateModule(name, (), {"module": module})


def late_function(module: str, name: str) -> Callable[..., Any]:
    """Stands in for a function."""

    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(itself(module), name)(*arguments, **named)

    return call


def itself(name: str) -> ModuleType:
    """The module that another one stands in for, imported if it was not; with it go all stand-ins, for it may import
    more of them."""
    if isinstance(sys.modules.get(name), LateModule):
        for other, module in list(sys.modules.items()):
            if isinstance(module, LateModule):
                del sys.modules[other]
    return importlib.import_module(name)


@contextlib.contextmanager
def imported_with(modules: dict[str, dict[str, Any]], name: str) -> Iterator[None]:
    """Inside: `name` is imported, with stand-ins (`standing_in`) if it can be, else as always: other versions of a
    package may ask for more."""
    try:
        with standing_in(modules):
            importlib.import_module(name)
    except (ImportError, AttributeError, TypeError):
        importlib.import_module(name)
    yield


@contextlib.contextmanager
def standing_in(modules: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Inside: stand-ins with these attributes are what an import of these modules finds, parents first. Packages that
    were imported before, or are not installed, stay as they are."""
    there = {name for name in modules if _is_free(name, modules)}
    for name, ready in modules.items():
        if name in there:
            sys.modules[name] = made = LateModule(name, ready)
            parent, _, child = name.rpartition(".")
            if parent in there:
                setattr(sys.modules[parent], child, made)
    try:
        yield
    finally:
        for name in there:
            if isinstance(sys.modules.get(name), LateModule):
                del sys.modules[name]


def _is_free(name: str, modules: dict[str, dict[str, Any]]) -> bool:
    first = next(other for other in modules if name == other or name.startswith(f"{other}."))
    package = name.partition(".")[0]
    return first not in sys.modules and (package in sys.modules or find_spec(package) is not None)


def _disabled(function: Callable[..., Any] | None = None, recursive: bool = True, **named: Any) -> Any:
    """What keeps the compiler out of a function: where nobody imported the compiler, the function as it is."""
    if function is None:
        return partial(_disabled, recursive=recursive, **named)
    plain = function

    @wraps(plain)
    def call(*arguments: Any, **given: Any) -> Any:
        compiler = sys.modules.get("torch._dynamo")
        if compiler is None or isinstance(compiler, LateModule):
            return plain(*arguments, **given)
        return compiler.disable(plain, recursive, **named)(*arguments, **given)

    return call


# 1.2 CPU seconds and 220 MB (torch 2.15), which torchvision, Lightning and a counter of torch import for these alone
COMPILER: dict[str, dict[str, Any]] = {
    "torch._dynamo": {"OptimizedModule": late_class("torch._dynamo", "OptimizedModule"), "disable": _disabled},
    "torch._dynamo.utils": {"is_compile_supported": late_function("torch._dynamo.utils", "is_compile_supported")},
    "triton": {},
    "triton.runtime": {},
    "triton.runtime.jit": {"JITFunction": late_class("triton.runtime.jit", "JITFunction")},
}
