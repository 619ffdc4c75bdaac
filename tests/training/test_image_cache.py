import pytest

from clf_cli.data.store import canvas_folder
from clf_cli.errors import RunError
from clf_cli.training import image_cache
from clf_cli.training.image_cache import resolve_cache

MB = 10**6


@pytest.fixture
def forks(monkeypatch):
    monkeypatch.setattr(image_cache, "get_start_method", lambda: "fork")


@pytest.mark.parametrize(
    ("needed", "free", "disk", "kept"),
    [(100, 1000, 0, "ram"), (600, 1000, 5000, "disk"), (600, 1000, 1100, "none"), (0, 0, 0, "ram")],
)
def test_auto_takes_memory_then_the_disk_then_nothing_and_says_why(monkeypatch, forks, needed, free, disk, kept):
    monkeypatch.setattr(image_cache, "disk_room", lambda: disk * MB)
    got, told = resolve_cache("auto", needed * MB, 4, free * MB)
    assert got == kept
    assert told.startswith(f"--cache auto: {kept}, ")
    assert f"{needed:,}.0 MB" in told
    assert (str(canvas_folder()) in told) == (kept == "disk")


def test_workers_that_are_no_forks_have_each_their_own(monkeypatch):
    monkeypatch.setattr(image_cache, "disk_room", lambda: 0)
    monkeypatch.setattr(image_cache, "get_start_method", lambda: "spawn")
    assert resolve_cache("auto", 100 * MB, 4, 700 * MB)[0] == "none"
    assert resolve_cache("auto", 100 * MB, 0, 700 * MB)[0] == "ram"


def test_what_is_asked_is_done_or_refused(forks):
    assert resolve_cache("none", 5, 0, 10) == ("none", "")
    assert resolve_cache("ram", 9 * MB, 2, 10 * MB) == ("ram", "")
    with pytest.raises(RunError, match=r"11\.0 MB, and 10\.0 MB of memory are free") as caught:
        resolve_cache("ram", 11 * MB, 0, 10 * MB)
    assert caught.value.exit_code == 6
