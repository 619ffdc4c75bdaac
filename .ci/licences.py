"""The licences of what uv.lock names, as docs/licences.md: `uv run --locked python .ci/licences.py` writes the page.

Raises SystemExit for a package whose licence is neither permissive nor agreed to below (tests/test_supply_chain.py).
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
PERMISSIVE = {
    *(
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
    ),
    *("ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib"),
}
NVIDIA = "LicenseRef-NVIDIA-Proprietary"
_CUDA = "NVIDIA's own terms; torch needs them on Linux"
AGREED = {  # (package, licence): why it may stay
    ("certifi", "MPL-2.0"): "a list of certificates, used as it is",
    ("hypothesis", "MPL-2.0"): "only tests use it",
    ("pathspec", "MPL-2.0"): "only mypy uses it",
    ("tqdm", "MPL-2.0 AND MIT"): "used as it is; its files stay under their licence",
}
TOLD = {  # packages that are not installed here, or whose metadata tell no licence: read on their pages
    "colorama": "BSD-3-Clause",
    "cuda-toolkit": NVIDIA,
    "httpx2-jsfetch": "BSD-3-Clause",
}
_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "NVIDIA Proprietary Software": NVIDIA,
    "Python Software Foundation License": "PSF-2.0",
}
UNKNOWN = "unknown"


def locked() -> list[Mapping[str, object]]:
    """The packages of uv.lock but ours."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    return [package for package in packages if package["name"] != "clf-cli"]


def licence_of(name: str) -> str:
    """An SPDX expression, or `unknown`."""
    try:
        told = [_SPDX.get(words, words) for words in _words(metadata(name))]
    except PackageNotFoundError:
        told = []
    clear = [words for words in told if is_known(words)]
    return next(iter([*clear, *([TOLD[name]] if name in TOLD else told)]), UNKNOWN)


def _words(told: PackageMetadata) -> Iterator[str]:
    """What a package says, the exact first: expression, the first line of its text, classifiers."""
    expression: str | None = told.get("License-Expression")
    if expression:
        yield expression
        return
    lines = str(told.get("License") or "").strip().splitlines()
    if lines:
        yield lines[0].removeprefix("OSI Approved :: ")
    for classifier in told.get_all("Classifier") or ():
        if classifier.startswith("License :: OSI Approved :: "):
            yield str(classifier).rpartition(" :: ")[2]


def parts(expression: str) -> list[str]:
    """The licences that an expression names; of `A OR B` both."""
    return [part.strip(" ()") for part in re.split(r" AND | OR ", expression)]


def is_known(expression: str) -> bool:
    """Whether it is made of names of licences that this file knows."""
    return all(part in PERMISSIVE or part in ("MPL-2.0", NVIDIA) for part in parts(expression))


def objection(name: str, licence: str) -> str | None:
    """Why a package may not be depended on; None where it may."""
    if set(parts(licence)) <= PERMISSIVE or (name, licence) in AGREED:
        return None
    if licence == NVIDIA and name.startswith(("nvidia-", "cuda-")):
        return None
    return f"{name} has the licence {licence!r}, which is neither permissive nor agreed to in .ci/licences.py"


def rows() -> dict[str, str]:
    """The licence of each locked package, by name."""
    return {name: licence_of(name) for name in sorted({str(package["name"]) for package in locked()})}


def page(licences: Mapping[str, str]) -> str:
    """The page: what is not permissive first, with the reason why it may stay."""
    lines = [
        "# Licences of the dependencies",
        "",
        "What `uv.lock` names: what `clf` needs, its optional parts, tests, tools. `.ci/licences.py` writes this page",
        "from the packages' own metadata; a package that is missing here, or whose licence is neither permissive nor",
        "agreed to, fails [the tests](reliability.md#supply-chain). The wheel holds none of them. `BSD` stands where a",
        "package does not say which.",
        "",
        "## Agreed to one by one",
        "",
        "| package | licence | why |",
        "|---|---|---|",
        *(f"| {name} | {licence} | {reason} |" for (name, licence), reason in sorted(AGREED.items())),
        f"| those of NVIDIA | {NVIDIA} | {_CUDA} |",
        "",
        "## All",
        "",
        "| package | licence |",
        "|---|---|",
        *(f"| {name} | {licence} |" for name, licence in licences.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found = rows()
    objections = [said for name, licence in found.items() if (said := objection(name, licence))]
    if objections:
        sys.exit("\n".join(objections))
    PAGE.write_text(page(found), encoding="utf-8")
