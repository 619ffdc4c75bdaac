"""A planned run in words."""

import pytest

from clf_cli.render.plan import duration, megabytes


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.31, "0.3 s"), (45.2, "45 s"), (119, "119 s"), (600, "10 min"), (7100, "118 min"), (12240, "3.4 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0.4, "0 MB"), (54.3, "54 MB"), (1234.0, "1.2 GB")])
def test_sizes(value: float, text: str) -> None:
    assert megabytes(value) == text
