"""Where the program comes from: the lock, the licences, the audit for vulnerabilities, and what the archives hold."""

import datetime
import http.server
import importlib.util
import json
import shutil
import subprocess
import tarfile
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TODAY = datetime.date(2026, 11, 20)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


archives, audit, licences = script("archives"), script("audit"), script("licences")
INDEX = licences.locked()[0]["source"]["registry"]  # one for all of them


# The lock


def unlocked(package: dict[str, Any]) -> list[str]:
    """What of a package of uv.lock does not come from the index, or could be exchanged there unseen."""
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
    found = [f"{package['name']}: a file without a sha256" for file in files if not is_hash(file.get("hash", ""))]
    if package["source"] != {"registry": INDEX}:
        found.append(f"{package['name']}: from {package['source']}")
    return found if files else [*found, f"{package['name']}: no file"]


def is_hash(text: str) -> bool:
    kind, _, digits = text.partition(":")
    return kind == "sha256" and len(digits) == 64


def test_every_locked_file_has_a_hash_and_comes_from_the_index():
    assert [line for package in licences.locked() for line in unlocked(package)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"git": "https://example.org/x.git?rev=main#0123"}},
        {"source": {"url": "https://example.org/x-1.0-py3-none-any.whl"}},
        {"wheels": [{"url": "x-1.0-py3-none-any.whl"}]},
        {"wheels": [{"url": "x-1.0-py3-none-any.whl", "hash": "md5:0123"}]},
        {"wheels": []},
    ],
)
def test_what_is_not_locked_would_be_found(change):
    sound = {"name": "x", "source": {"registry": INDEX}, "wheels": [{"hash": f"sha256:{'0' * 64}"}]}
    assert unlocked(sound) == []
    assert len(unlocked(sound | change)) == 1


def test_no_dependency_is_named_by_its_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "sources" not in project.get("tool", {}).get("uv", {})
    tables = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    named = [name for names in (*tables, *project["dependency-groups"].values()) for name in names]
    assert [name for name in named if "@" in name or "/" in name] == []


# Licences


def page_rows() -> dict[str, str]:
    told = licences.PAGE.read_text(encoding="utf-8").partition("## All")[2]
    cells = [line.strip("| ").split(" | ") for line in told.splitlines() if line.startswith("| ")]
    return {name: licence for name, licence in cells if name != "package"}


def test_the_page_of_licences_has_every_locked_package():
    """A new one is added by `uv run --locked python .ci/licences.py`, which refuses some."""
    assert sorted(page_rows()) == sorted({package["name"] for package in licences.locked()})


def test_the_page_says_what_the_packages_say():
    there = {distribution.name.lower().replace("_", "-").replace(".", "-") for distribution in distributions()}
    told = page_rows()
    assert {name: licences.licence_of(name) for name in told if name in there} == {
        name: licence for name, licence in told.items() if name in there
    }


def test_every_licence_is_permissive_or_agreed_to():
    assert [said for name, licence in page_rows().items() if (said := licences.objection(name, licence))] == []


def test_agreements_are_about_packages_that_are_there():
    told = page_rows()
    assert [(name, licence) for name, licence in licences.AGREED if told.get(name) != licence] == []


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "AGPL-3.0 OR MIT", "MPL-2.0", licences.NVIDIA, "unknown", ""],
)
def test_copyleft_and_unknown_licences_are_refused(licence):
    assert "newcomer" in licences.objection("newcomer", licence)


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 OR BSD-2-Clause", "MIT AND (Apache-2.0 OR BSD-2-Clause)"])
def test_permissive_licences_pass(licence):
    assert licences.objection("newcomer", licence) is None


# Vulnerabilities


class Advisories(http.server.BaseHTTPRequestHandler):
    """OSV's interface, with one advisory: of pillow."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        known = {"vulns": [{"id": "GHSA-test", "modified": "2026-01-01T00:00:00Z"}]}
        self.answer({"results": [known if query["package"]["name"] == "pillow" else {} for query in asked]})

    def do_GET(self) -> None:
        package = {"name": "pillow", "ecosystem": "PyPI"}
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
        affected = [{"package": package, "ranges": ranges}]
        self.answer({"id": "GHSA-test", "modified": "2026-01-01T00:00:00Z", "summary": "reads", "affected": affected})

    def answer(self, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("uv") is None:
        pytest.skip("uv is not on the path")
    if subprocess.run(["uv", "audit", "--help"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this uv has no audit")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_known_vulnerability_fails(uv, service, capsys):
    assert audit.audit([], service) == 1
    assert "GHSA-test" in capsys.readouterr().out


def test_an_allowed_vulnerability_passes(uv, service):
    assert audit.audit(["GHSA-test"], service) == 0


def test_a_service_that_cannot_be_reached_is_told_and_fails_nothing(uv, capsys):
    assert audit.audit([], "http://127.0.0.1:9/") == 0
    assert "could not be reached" in capsys.readouterr().out


def test_the_list_of_allowed_vulnerabilities_can_be_read():
    audit.allowed(audit.ALLOWED, TODAY)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ('id = "X"\nreason = "why"\nuntil = 2026-11-19', "was allowed until 2026-11-19"),
        ('id = "X"\nreason = ""\nuntil = 2027-01-01', "needs id, reason and until"),
        ('id = "X"\nreason = "why"', "needs id, reason and until"),
    ],
)
def test_an_allowed_vulnerability_has_a_reason_and_an_end(tmp_path, entry, reason):
    file = tmp_path / "allowed.toml"
    file.write_text('[[allowed]]\nid = "X"\nreason = "why"\nuntil = 2026-11-20\n')
    assert audit.allowed(file, TODAY) == ["X"]
    file.write_text(f"[[allowed]]\n{entry}\n")
    with pytest.raises(SystemExit, match=reason):
        audit.allowed(file, TODAY)


# Archives


def test_what_is_missing_or_too_much_in_an_archive_is_named(tmp_path):
    """`.ci/wheel` builds the real ones, which takes longer than a test may."""
    files = {"README.md", "clf_cli/__init__.py", ".ci/run"}
    wheel, source = tmp_path / "clf-1.whl", tmp_path / "clf-1.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("clf_cli/__init__.py", "")
        archive.writestr("clf-1.dist-info/METADATA", "")
    with tarfile.open(source, "w:gz") as archive:
        for name in ("README.md", "clf_cli/__init__.py", "PKG-INFO"):
            archive.add(ROOT / "LICENSE", f"clf-1/{name}")
    assert archives.differences(tmp_path, files) == []
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("clf_cli/__pycache__/__init__.cpython-311.pyc", "")
    missing, junk = "['clf_cli/__init__.py']", "['clf_cli/__pycache__/__init__.cpython-311.pyc']"
    assert archives.differences(tmp_path, files) == [f"clf-1.whl: missing {missing}, too much {junk}"]
