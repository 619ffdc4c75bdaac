"""The shipped table against timm itself: after another timm is locked, this says how to write it anew."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm

from clf_cli.models.catalog import SHIPPED, Entry, catalog_file, read_catalog
from clf_cli.models.catalog_timm import count_parameters, list_entries

AGAIN = f"python -m clf_cli.models.catalog_timm  # writes the table of timm {timm.__version__}; remove the old one"


@pytest.fixture(scope="module")
def shipped():
    entries = read_catalog(catalog_file(SHIPPED, timm.__version__))
    assert entries, AGAIN
    return entries


def test_there_is_one_table_and_it_is_of_this_timm(shipped):
    assert [path.name for path in Path(SHIPPED).glob("timm-*.csv")] == [f"timm-{timm.__version__}.csv"], AGAIN


def test_it_lists_what_timm_lists(shipped):
    assert tuple(replace(entry, parameters=None) for entry in shipped) == list_entries(), AGAIN


def test_every_architecture_and_every_published_weights_is_in_it(shipped):
    assert {entry.architecture for entry in shipped} == set(timm.list_models())
    assert {entry.name for entry in shipped if entry.source} >= set(timm.list_models(pretrained=True))
    defaults = [entry.architecture for entry in shipped if entry.default]
    assert sorted(defaults) == sorted(timm.list_models())


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "test_vit.r160_in1k", "vit_tiny_patch16_224.augreg_in21k"])
def test_parameters_are_timms_own(shipped, name):
    """As counted in the real network; a tag with other classes has another head."""
    entry = next(entry for entry in shipped if entry.name == name)
    assert entry.parameters == sum(parameter.numel() for parameter in timm.create_model(name).parameters())


def test_a_sample_of_the_table_is_what_counting_gives(shipped):
    sample = shipped[::409]
    assert tuple(count_parameters([replace(entry, parameters=None) for entry in sample])) == sample, AGAIN


def test_what_cannot_be_built_stays_uncounted(monkeypatch):
    def broken(name):
        raise RuntimeError("no such layer")

    monkeypatch.setattr(timm, "create_model", broken)
    entry = Entry("test_resnet.r160_in1k", True, 1000, 160, 160, "", "")
    assert list(count_parameters([entry])) == [entry]
