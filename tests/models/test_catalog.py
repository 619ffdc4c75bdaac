"""The table of timm's architectures, as it comes with clf and as it is made of another timm."""

import subprocess
import sys
from pathlib import Path

import pytest

from clf_cli.models import catalog
from clf_cli.models.catalog import Entry, catalog_file, catalog_text, read_catalog, with_parameters
from clf_cli.values.progress import silent

ENTRIES = (
    Entry("a.one", True, 1000, 224, 192, "mit", "timm/a.one", 7),
    Entry('b."two", three', False, 0, 8, 8, "", "", None),
)


def test_a_table_reads_as_it_was_written(tmp_path):
    path = tmp_path / "timm.csv"
    path.write_text(catalog_text(ENTRIES), encoding="utf-8")
    assert read_catalog(path) == ENTRIES


@pytest.mark.parametrize(
    "text", ["", "name\n", "name,default\na\n", catalog_text(ENTRIES).replace("224", "wide"), "\0"]
)
def test_a_damaged_table_is_none(tmp_path, text):
    path = tmp_path / "timm.csv"
    path.write_text(text, encoding="utf-8")
    assert read_catalog(path) == ()


def test_reading_it_imports_neither_timm_nor_torch():
    code = (
        "import sys; from clf_cli.models.catalog import catalog; entries = catalog();"
        "assert len(entries) > 1500 and all(entry.parameters for entry in entries);"
        "sys.exit(bool({'timm', 'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestAnotherTimm:
    """One whose table does not come with clf."""

    @pytest.fixture(autouse=True)
    def _nothing_ships(self, tmp_path, monkeypatch):
        monkeypatch.setattr(catalog, "SHIPPED", tmp_path / "package")
        monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))

    def test_its_parameters_are_counted_once_and_kept(self, tmp_path):
        shipped = read_catalog(catalog_file(Path(catalog.__file__).parent, catalog.version("timm")))
        entries = catalog.catalog()
        assert [entry.name for entry in entries] == [entry.name for entry in shipped]
        assert not any(entry.parameters for entry in entries)
        chosen = {"test_resnet.r160_in1k", "test_vit.r160_in1k"}

        def bar(description, total):
            assert total == len(chosen)
            return silent(description, total)

        counted, note = with_parameters(entries, chosen, bar)
        assert note is None
        expected = {entry.name: entry.parameters for entry in shipped if entry.name in chosen}
        assert {entry.name: entry.parameters for entry in counted if entry.parameters} == expected
        assert catalog.catalog() == counted  # from the cache
        assert with_parameters(counted, chosen, None) == (counted, None)  # nothing is left to count

    def test_a_cache_that_cannot_be_written_is_a_note(self, tmp_path):
        (tmp_path / "cache").write_text("in the way")
        counted, note = with_parameters(catalog.catalog(), {"test_resnet.r160_in1k"}, silent)
        assert note is not None
        assert "CLF_CACHE_DIR" in note
        assert sum(entry.parameters is not None for entry in counted) == 1
