"""Architecture names without importing timm."""

import pytest
import timm

from clf_cli.errors import UsageError
from clf_cli.models.archs import arch_names, check_arch, complete_arch, similar_archs


def test_the_names_are_timms():
    assert list(arch_names()) == sorted(timm.list_models())


@pytest.mark.parametrize("name", ["resnet18", "resnet18.a1_in1k", "tf_efficientnet_lite0"])
def test_a_name_with_or_without_tag_is_fine(name):
    check_arch(name)


@pytest.mark.parametrize("name", ["resnt18", "ResNet18", "resnt18.a1_in1k"])
def test_a_misspelt_name_is_a_usage_error_with_the_nearest_ones(name):
    with pytest.raises(UsageError, match=name) as caught:
        check_arch(name)
    assert caught.value.exit_code == 2
    assert "resnet18" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", "zzzzzz", "../resnet18"])
def test_a_name_that_resembles_nothing_is_a_usage_error_too(name):
    with pytest.raises(UsageError):
        check_arch(name)


def test_at_most_three_similar_names():
    assert similar_archs("resnet") == similar_archs("resnet.tag")
    assert len(similar_archs("resnet")) == 3


def test_names_complete():
    assert "resnet18" in complete_arch("resnet1")
    assert all(name.startswith("resnet1") for name in complete_arch("resnet1"))
    assert complete_arch("zzz") == []
