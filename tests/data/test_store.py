import os
import pickle

import numpy as np
import pytest

from clf_cli.data import store
from clf_cli.data.store import Keeping, PixelStore, canvas_folder, disk_bytes, stored_in
from clf_cli.errors import RunError

SIZES = np.array([(4, 3), (1, 1), (7, 5)])


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in SIZES.tolist()]


def filled(keeping: Keeping, key=("a",)) -> PixelStore:
    kept = PixelStore(SIZES, keeping, key)
    for number, picture in enumerate(pictures()):
        assert kept.get(number) is None
        kept.put(number, picture)
    return kept


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLF_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("keeping", [Keeping("ram"), Keeping("ram", shared=True), Keeping("disk")])
def test_what_was_put_comes_back(keeping):
    kept = filled(keeping)
    for number, picture in enumerate(pictures()):
        assert np.array_equal(kept.get(number), picture)
    assert len(kept) == 3
    assert kept.held == (0 if keeping.where == "disk" else int(SIZES.prod(axis=1).sum()) * 3)


def test_none_keeps_nothing():
    kept = filled(Keeping("none"))
    assert (kept.get(0), len(kept), kept.held) == (None, 0, 0)
    assert not canvas_folder().exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_processes_that_are_forked_share_the_memory():
    kept = PixelStore(SIZES, Keeping("ram", shared=True))
    kept.open()
    child = os.fork()
    if child == 0:
        kept.put(2, pictures()[2])
        os._exit(0)
    os.waitpid(child, 0)
    assert np.array_equal(kept.get(2), pictures()[2])
    assert kept.get(0) is None


def test_a_later_run_finds_the_file_and_a_process_that_starts_afresh_too():
    first = filled(Keeping("disk"))
    for later in (PixelStore(SIZES, Keeping("disk"), ("a",)), pickle.loads(pickle.dumps(first))):
        assert [np.array_equal(later.get(n), picture) for n, picture in enumerate(pictures())] == [True] * 3
    assert PixelStore(SIZES, Keeping("disk"), ("another",)).get(0) is None
    assert len(list(canvas_folder().iterdir())) == 2


def test_a_picture_that_is_broken_on_the_disk_is_not_held():
    filled(Keeping("disk"))
    file = stored_in(SIZES, ["a"])
    with file.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        last = opened.read(1)[0]
        opened.seek(-1, os.SEEK_END)
        opened.write(bytes([last ^ 1]))
    again = PixelStore(SIZES, Keeping("disk"), ("a",))
    assert again.get(2) is None
    assert np.array_equal(again.get(0), pictures()[0])
    again.put(2, pictures()[2])
    assert np.array_equal(PixelStore(SIZES, Keeping("disk"), ("a",)).get(2), pictures()[2])


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b""), lambda file: os.truncate(file, 5000)])
def test_a_file_that_is_not_what_it_should_be_is_made_anew(spoil):
    filled(Keeping("disk"))
    spoil(stored_in(SIZES, ["a"]))
    again = PixelStore(SIZES, Keeping("disk"), ("a",))
    assert again.get(0) is None
    assert stored_in(SIZES, ["a"]).stat().st_size == disk_bytes(SIZES)


def test_the_longest_unused_file_makes_room_and_too_much_is_told(monkeypatch):
    old, used = (stored_in(SIZES, [key]) for key in ("old", "used"))
    os.utime(old, (1, 1))
    monkeypatch.setattr(store, "MOST_ON_DISK", 2 * disk_bytes(SIZES))
    new = stored_in(SIZES, ["new"])
    assert (old.exists(), used.exists(), new.exists()) == (False, True, True)
    monkeypatch.setattr(store, "MOST_ON_DISK", disk_bytes(SIZES) - 1)
    with pytest.raises(RunError, match="Images cannot be kept in") as caught:
        stored_in(SIZES, ["more"])
    assert "--cache none" in str(caught.value.hint)
