"""A planned run in words."""

import pytest

from clf_cli.render.plan import megabytes


@pytest.mark.parametrize(("value", "text"), [(0.4, "0 MB"), (54.3, "54 MB"), (1234.0, "1.2 GB")])
def test_sizes(value: float, text: str) -> None:
    assert megabytes(value) == text
