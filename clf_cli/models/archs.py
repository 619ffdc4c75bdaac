"""Names of the architectures timm offers, read from its source without importing it."""

import re
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from clf_cli.errors import UsageError

_REGISTERED = re.compile(rb"^@register_model\s*\ndef (\w+)", re.MULTILINE)

_PLAIN = re.compile(r"\w{1,100}(\.[\w-]{1,100})?")


@cache
def arch_names() -> tuple[str, ...]:
    """All of them, sorted. Importing timm costs seconds (it imports torch), reading its files milliseconds."""
    spec = find_spec("timm")
    if spec is None or spec.origin is None:
        return ()
    files = (Path(spec.origin).parent / "models").glob("*.py")
    return tuple(sorted(name.decode() for file in files for name in _REGISTERED.findall(file.read_bytes())))


def check_arch(name: str) -> None:
    """Raises UsageError (exit 2) for an architecture that timm lacks; a tag (`resnet18.a1_in1k`) is not looked at."""
    require_plain(name)
    names = arch_names()
    if name.partition(".")[0] in names or not names:  # a timm that cannot be read is left to say no itself
        return
    similar = similar_archs(name)
    hint = (
        f"Did you mean {', '.join(similar)}?"
        if similar
        else "Names are those of timm: resnet18, mobilenetv3_small_100."
    )
    raise UsageError(f"No architecture is called {name!r}.", hint)


def require_plain(name: str) -> None:
    """Raises UsageError (exit 2) for what timm would not look up but load: `hf-hub:owner/name`, `local-dir:path`."""
    if not _PLAIN.fullmatch(name):
        raise UsageError(
            f"{name[:200]!r} is no name of an architecture: clf builds timm's own and loads no code or configuration.",
            "Names are those of timm: resnet18, mobilenetv3_small_100.",
        )


def similar_archs(name: str) -> tuple[str, ...]:
    """At most three names, the nearest first."""
    return tuple(get_close_matches(name.partition(".")[0].lower(), arch_names(), n=3))


def complete_arch(incomplete: str) -> list[str]:
    """Names that start so, for the shell."""
    return [name for name in arch_names() if name.startswith(incomplete)]
