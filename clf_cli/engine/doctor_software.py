"""Versions: clf, Python, the platform, what clf needs and its optional parts. Imports none of them."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from clf_cli import __version__
from clf_cli.engine.doctor_check import Check

GROUP = "software"
DISTRIBUTION = "clf-cli"
_REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)(?P<bounds>[^;]*)(;.*extra == ['\"](?P<extra>[\w-]+)['\"])?")
_PIN = re.compile(r"^(?P<name>[\w.-]+)\s*==\s*(?P<version>\d[\d.]*)$")


def software() -> tuple[Check, ...]:
    """A line each, the libraries that are as they should be in one."""
    tested = platform.system() == "Linux"
    hint = None if tested else "clf is tested on Linux only."
    return (
        Check(GROUP, "clf", __version__),
        Check(GROUP, "python", f"{platform.python_version()}, {platform.python_implementation()}"),
        Check(GROUP, "platform", platform.platform(), "ok" if tested else "warning", hint),
        *_libraries(),
    )


def versions() -> dict[str, str | None]:
    """Of Python, clf and everything that it can use, by name; None for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "clf": __version__}
    return found | {name: _installed(name) for name, _, _ in _requirements()}


def _libraries() -> Iterator[Check]:
    needed = [(name, bounds) for name, bounds, extra in _requirements() if extra is None]
    if not needed:
        yield Check(
            GROUP, "libraries", "not known: clf is not installed as a package", "warning", "pip install clf-cli"
        )
        return
    right = []
    for name, bounds in needed:
        there = _installed(name)
        wrong = "is not installed" if there is None else _mismatch(name, there, bounds)
        if wrong is None:
            right.append(f"{name} {there}")
        else:
            yield Check(GROUP, name, wrong, "problem", f"pip install '{name}{bounds}'")
    yield Check(GROUP, "libraries", ", ".join(right))
    yield Check(GROUP, "optional parts", ", ".join(_optional_parts()))


def _mismatch(name: str, there: str, bounds: str) -> str | None:
    """Why a version does not do: for clf, or for what it is built against (a torchvision works with one torch only)."""
    if not _satisfies(there, bounds):
        return f"{there}, clf needs {bounds}"
    for line in requires(name) or ():
        found = _PIN.match(line)
        other = _installed(found["name"]) if found else None
        if found and other is not None and _numbers(other) != _numbers(found["version"]):
            return f"{there} is built for {found['name']} {found['version']}, here is {other}"
    return None


def _optional_parts() -> Iterator[str]:
    """`tensorboard 2.20.0`, or how to get it."""
    parts: dict[str, list[str]] = {}
    for name, _, extra in _requirements():
        if extra is not None:
            parts.setdefault(extra, []).append(name)
    for extra, names in parts.items():
        there = {name: _installed(name) for name in names}
        if all(there.values()):
            yield " + ".join(f"{name} {number}" for name, number in there.items())
        else:
            yield f"{extra} is not installed (pip install '{DISTRIBUTION}[{extra}]')"


def _requirements() -> Iterator[tuple[str, str, str | None]]:
    """Name, bounds and the optional part that asks for it, of each requirement; none when clf is no package here."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return
    for line in lines:
        found = _REQUIREMENT.match(line)
        if found is not None and (found["extra"] or ";" not in line):  # other conditions are no business of ours
            yield found["name"], found["bounds"].strip(), found["extra"]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _satisfies(there: str, bounds: str) -> bool:
    """Whether a version is within `>=0.29,<0.30`; other signs are not looked at."""
    own = _numbers(there)
    for bound in bounds.split(","):
        sign, wanted = bound.strip()[:2], _numbers(bound.strip().lstrip("<>=!~"))
        if (sign == ">=" and own < wanted) or (sign.startswith("<") and sign != "<=" and own >= wanted):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    """`2.10.0+cpu` as (2, 10, 0)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
