"""Progress that nobody watches costs nothing and stops nothing."""

import pytest

from clf_cli.values.progress import Progress, silent


def test_silence_takes_every_count_and_prints_nothing(capsys):
    watched: Progress = silent
    with watched("reading", 3) as advance:
        advance(2)
        advance(0)
        advance(100)
    assert capsys.readouterr() == ("", "")


def test_errors_inside_pass_through():
    with pytest.raises(ValueError, match="mine"), silent("reading", 3):
        raise ValueError("mine")
