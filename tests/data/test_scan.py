"""The scan sees every file once, remembers it outside the data, and never fails for a bad file."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from clf_cli.data import scan as scanning
from clf_cli.data.scan import scan_files


def draw(path: Path, value: int, size: tuple[int, int] = (5, 4)) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)
    return path.name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for index in range(70):
        draw(root / f"{index}.png", index)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "scan.json"


class Watcher:
    """A Progress that records what it is told."""

    def __init__(self) -> None:
        self.bars: list[list[int]] = []

    @contextmanager
    def __call__(self, description: str, total: int):
        bar = [total]
        self.bars.append(bar)
        yield bar.append


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_facts(data):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (9, 3)).save(data / "turned.jpg", exif=exif)
    facts = scan_files(data, ["turned.jpg"]).files["turned.jpg"]
    assert (facts.width, facts.height, facts.mode, facts.format, facts.exif_rotated) == (3, 9, "L", "JPEG", True)
    assert facts.bytes == (data / "turned.jpg").stat().st_size
    assert len(facts.content_hash) == 64
    assert facts.error is None


def test_threads_and_order_change_nothing(data):
    paths = names(data)
    assert scan_files(data, paths, workers=4).files == scan_files(data, paths[::-1]).files


def test_progress_counts_every_file_and_is_not_opened_for_none(data, cache):
    watcher = Watcher()
    scan_files(data, names(data), 2, cache, watcher)
    scan_files(data, names(data), 2, cache, watcher)
    assert len(watcher.bars) == 1
    assert watcher.bars[0][0] == sum(watcher.bars[0][1:]) == 70


def test_the_cache_answers_until_a_file_changes(data, cache):
    first = scan_files(data, names(data), cache=cache)
    shutil.copystat(data / "1.png", data / "2.png")
    draw(data / "3.png", 3, (50, 40))
    watcher = Watcher()
    second = scan_files(data, names(data), cache=cache, progress=watcher)
    assert watcher.bars[0][0] == 2
    assert second.files["3.png"].width == 50
    assert {k: v for k, v in second.files.items() if k != "3.png"} == {
        k: v for k, v in first.files.items() if k != "3.png"
    }


def test_no_cache_reads_everything_again(data, cache):
    scan_files(data, names(data), cache=cache)
    watcher = Watcher()
    scan_files(data, names(data), progress=watcher)
    assert watcher.bars[0][0] == 70


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe", b"[" * 10_000])
def test_a_broken_cache_is_as_good_as_none(data, cache, content):
    cache.parent.mkdir()
    cache.write_bytes(content)
    scan = scan_files(data, names(data), cache=cache)
    assert len(scan.files) == 70
    assert scan.notes == ()


def test_broken_rows_are_read_again(data, cache):
    scan_files(data, ["1.png"], cache=cache)
    cache.write_text(cache.read_text().replace('"PNG"', '"PNG", 1, 2, 3, 4'))
    assert scan_files(data, ["1.png"], cache=cache).files["1.png"].format == "PNG"


def test_an_unwritable_cache_is_a_note(data, tmp_path):
    (tmp_path / "file").touch()
    scan = scan_files(data, names(data), cache=tmp_path / "file" / "scan.json")
    assert all(facts.error is None for facts in scan.files.values())
    assert "CLF_CACHE_DIR" in scan.notes[0]


def test_bad_files_have_reasons(data, tmp_path):
    whole = (data / "1.png").read_bytes()
    (data / "zero.png").touch()
    (data / "cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "text.png").write_text("not an image")
    (data / "folder.png").mkdir()
    os.mkfifo(data / "pipe.png")
    draw(tmp_path / "outside.png", 1)
    (data / "out.png").symlink_to(tmp_path / "outside.png")
    (data / "up").symlink_to(tmp_path)
    (data / "in.png").symlink_to(data / "1.png")
    (data / "self.png").symlink_to(data / "self.png")
    with (data / "huge.png").open("wb") as file:
        file.truncate(scanning.MAX_BYTES + 1)
    added = ("zero", "cut", "text", "folder", "pipe", "out", "in", "self", "huge", "none")
    facts = scan_files(data, [*(f"{name}.png" for name in added), "up/outside.png", "bad\0name.png"]).files
    reasons = {path: fact.error or "" for path, fact in facts.items()}
    assert reasons["in.png"] == ""
    assert "empty file" in reasons["zero.png"]
    assert reasons["cut.png"]
    assert "not an image" in reasons["text.png"]
    assert "folder" in reasons["folder.png"]
    assert "not a regular file" in reasons["pipe.png"]
    assert reasons["out.png"] == reasons["up/outside.png"] == "links out of the data folder"
    assert facts["out.png"].code == scanning.OUTSIDE
    assert reasons["self.png"]
    assert "1 GiB" in reasons["huge.png"]
    assert reasons["none.png"] == "no such file"
    assert reasons["bad\0name.png"]


def test_what_becomes_a_pipe_after_it_was_looked_at_does_not_wait_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "empty file (0 bytes)" in scanning.read_rows([str(tmp_path / "pipe.png")])[0]


def test_missing_and_refused_files_are_not_remembered(data, cache):
    scan_files(data, ["later.png", "1.png"], cache=cache)
    draw(data / "later.png", 1)
    assert scan_files(data, ["later.png"], cache=cache).files["later.png"].error is None


def test_the_data_folder_stays_as_it_is(data):
    def tree() -> list[tuple[str, int, int]]:
        return [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted([data, *data.iterdir()])]

    before = tree()
    scan_files(data, names(data), workers=2)
    assert tree() == before


def test_large_files_give_the_same_facts_without_being_held_whole(data, monkeypatch):
    paths = names(data)[:8]
    (data / "zero.png").write_bytes(bytes(5000))
    whole = scan_files(data, [*paths, "zero.png"]).files
    monkeypatch.setattr(scanning, "LARGE", 20)
    assert scan_files(data, [*paths, "zero.png"]).files == whole
    assert whole["zero.png"].error
