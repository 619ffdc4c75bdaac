"""Stand-ins for large modules, in a package that is written here."""

import importlib
import importlib.util
import sys

import pytest

from clf_cli.models.late import LateModule, imported_with, late_class, late_function, standing_in


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    """`heavy_package` with a part, and `light_package`, which imports from both."""
    files = {
        "heavy_package/__init__.py": "from heavy_package.part import Thing\nVALUE = 3\n",
        "heavy_package/part.py": "class Thing:\n    pass\n\n\ndef double(number):\n    return 2 * number\n",
        "light_package.py": (
            "import heavy_package\nfrom heavy_package.part import Thing, double\n\n\n"
            "def value():\n    return heavy_package.VALUE\n"
        ),
        "greedy_package.py": "import heavy_package.other\n",
        "heavy_package/other.py": "from heavy_package.part import double\n\nFOUR = double(2)\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield {
        "heavy_package": {},
        "heavy_package.part": {
            "Thing": late_class("heavy_package.part", "Thing"),
            "double": late_function("heavy_package.part", "double"),
        },
    }
    for name in [name for name in sys.modules if name.partition(".")[0].endswith("_package")]:
        del sys.modules[name]


def loaded(name):
    return name in sys.modules and not isinstance(sys.modules[name], LateModule)


def test_nothing_is_imported_until_it_is_asked(heavy):
    with standing_in(heavy):
        light = importlib.import_module("light_package")
    assert not loaded("heavy_package")
    assert "heavy_package" not in sys.modules
    assert not isinstance(3, light.Thing)
    assert not loaded("heavy_package")
    assert light.double(4) == 8
    assert loaded("heavy_package")
    assert light.value() == 3


def test_a_class_is_the_one_that_it_stands_in_for(heavy):
    with standing_in(heavy):
        light = importlib.import_module("light_package")
    thing = importlib.import_module("heavy_package").Thing()
    assert isinstance(thing, light.Thing)
    assert type(light.Thing()) is type(thing)


def test_names_of_pythons_own_import_nothing(heavy):
    with standing_in(heavy):
        stand_in = sys.modules["heavy_package"]
        assert not hasattr(stand_in, "__file__")
        assert importlib.util.find_spec("heavy_package") is not None
    assert not loaded("heavy_package")


def test_what_is_asked_inside_is_there_and_stays(heavy):
    with standing_in(heavy):
        assert sys.modules["heavy_package"].VALUE == 3
        assert loaded("heavy_package")
        assert loaded("heavy_package.part")
    assert loaded("heavy_package")


def test_a_package_that_was_imported_stays(heavy):
    there = importlib.import_module("heavy_package")
    with standing_in(heavy):
        assert sys.modules["heavy_package"] is there
    assert sys.modules["heavy_package"] is there


def test_a_package_that_is_not_installed_is_missing(heavy):
    with standing_in({"absent_package": {}}), pytest.raises(ImportError):
        importlib.import_module("absent_package")


def test_an_import_that_needs_more_has_no_stand_ins(heavy):
    with imported_with(heavy, "greedy_package"):
        pass
    assert loaded("greedy_package")
    assert loaded("heavy_package")
    assert sys.modules["heavy_package.other"].FOUR == 4
