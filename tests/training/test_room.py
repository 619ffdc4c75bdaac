"""How much memory is left, as Linux tells it."""

from pathlib import Path

import pytest

from clf_cli.training.room import addresses_used, memory_left

GIB = 2**30
MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n"


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path, Path]:
    """/proc/meminfo with 8 GiB available, an empty /sys/fs/cgroup, and /proc/self/cgroup."""
    meminfo, cgroup, own = tmp_path / "meminfo", tmp_path / "cgroup", tmp_path / "own"
    meminfo.write_text(MEMINFO)
    cgroup.mkdir()
    own.write_text("4:memory:/job\n0::/slice/job\n")
    return meminfo, cgroup, own


def limit(folder: Path, version: int, most: str, used: int, files: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current", "inactive_file")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {files}\n")


def test_without_a_container_it_is_what_the_machine_has(machine: tuple[Path, Path, Path]) -> None:
    assert memory_left(*machine) == 8 * GIB


@pytest.mark.parametrize(("place", "version"), [(".", 2), ("slice/job", 2), ("memory", 1), ("memory/job", 1)])
def test_the_limit_of_a_group_counts_and_pages_of_files_are_free(
    machine: tuple[Path, Path, Path], place: str, version: int
) -> None:
    limit(machine[1] / place, version, str(4 * GIB), 3 * GIB, GIB)
    assert memory_left(*machine) == 2 * GIB


def test_a_limit_that_is_none_or_above_the_machine_does_not_count(machine: tuple[Path, Path, Path]) -> None:
    limit(machine[1], 2, "max", GIB, 0)
    limit(machine[1] / "memory", 1, str(2**62), GIB, 0)
    assert memory_left(*machine) == 8 * GIB


def test_elsewhere_nobody_knows(tmp_path: Path) -> None:
    assert memory_left(tmp_path / "none", tmp_path / "none", tmp_path / "none") is None


def test_addresses_grow_with_what_is_mapped() -> None:
    before = addresses_used()
    held = bytearray(64 * 2**20)
    assert before > 0
    assert addresses_used() - before >= len(held) // 2
