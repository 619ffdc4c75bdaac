"""What the built archives in a folder hold: `python .ci/archives.py DIR`. Exit 1 names what is missing or too much."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
ADDED = {".gitignore", "PKG-INFO", "pyproject.toml"}  # by the build, to the source archive
LARGEST = 8_000_000  # bytes of the source archive; it has 3


def tracked() -> set[str] | None:
    """The files of the repository, committed or about to be, without what git ignores; None where git cannot tell."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}


def in_wheel(file: Path) -> set[str]:
    """Its files but those of the metadata."""
    with zipfile.ZipFile(file) as archive:
        return {name for name in archive.namelist() if not PurePosixPath(name).parts[0].endswith(".dist-info")}


def in_source(file: Path) -> set[str]:
    """Its files, from within its folder. Raises SystemExit for links and the like."""
    with tarfile.open(file) as archive:
        members = archive.getmembers()
    strange = [member.name for member in members if not (member.isfile() or member.isdir())]
    if strange:
        sys.exit(f"{file.name} holds what is no file: {strange}")
    return {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])) for member in members if member.isfile()}


def differences(folder: Path, files: set[str]) -> list[str]:
    """A line for each archive that does not hold what of `files` belongs into it."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    included = tuple(path.strip("/") for path in build["sdist"]["include"])
    wanted = {name for name in files if name in included or name.startswith(tuple(f"{path}/" for path in included))}
    wheel, source = next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))
    package = {name for name in files if name.startswith("clf_cli/")}
    compared = ((wheel, in_wheel(wheel), package), (source, in_source(source) - ADDED, wanted))
    found = [
        f"{file.name}: missing {sorted(right - held)}, too much {sorted(held - right)}"
        for file, held, right in compared
        if held != right
    ]
    if source.stat().st_size > LARGEST:
        found.append(f"{source.name} has {source.stat().st_size:,} bytes, more than {LARGEST:,}")
    return found


if __name__ == "__main__":
    found = tracked()
    if found is None:
        print("git cannot tell the files of the repository: the archives were not compared with them.")
    elif told := differences(Path(sys.argv[1]), found):
        sys.exit("\n".join(told))
