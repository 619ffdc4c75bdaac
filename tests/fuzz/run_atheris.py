"""Coverage-guided fuzzing of the parsers by hand, with atheris, which is no dependency of ours.

    uv run --with atheris python tests/fuzz/run_atheris.py all --seconds 3600 --corpus CORPUS
    uv run --with atheris python tests/fuzz/run_atheris.py checkpoint --seconds 60

Each target runs in a process of its own. Inputs that end in anything but a value or an expected failure are written
below FOUND, one for each place in the code, and the run goes on; the exit code is then 1. Without atheris it says so
and ends with 0.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_INPUT = 20_000  # bytes
SLOW = 20  # seconds for one input


def main() -> int:
    arguments = _arguments()
    if find_spec("atheris") is None:
        print("atheris is not installed, nothing was fuzzed: uv run --with atheris python", *sys.argv)
        return 0
    sys.path.insert(0, str(ROOT))
    if arguments.child:
        _fuzz(arguments.target, arguments)
    from tests.fuzz.targets import TARGETS

    names = list(TARGETS) if arguments.target == "all" else [arguments.target]
    started, failed = time.monotonic(), 0
    for place, name in enumerate(names):
        left = arguments.seconds - (time.monotonic() - started)
        share = int(left / (len(names) - place))
        if share < 1:
            break
        failed |= _child(name, share, arguments)
    print(json.dumps({"targets": len(names), "seconds": round(time.monotonic() - started)}))
    return min(1, failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a name of tests/fuzz/targets.py, or all")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--found", type=Path, default=Path("found"))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(name: str, seconds: int, arguments: argparse.Namespace) -> int:
    """One process a target: native code may end it, and memory is given back."""
    began = time.monotonic()
    command = [sys.executable, __file__, name, "--child", "--seconds", str(seconds)]
    command += ["--corpus", str(arguments.corpus), "--found", str(arguments.found)]
    try:
        code = subprocess.run(command, check=False, timeout=seconds + 120, capture_output=True, text=True)
        words = code.stderr.splitlines()[-3:] if code.returncode else []
        status, said = code.returncode, code.stdout
    except subprocess.TimeoutExpired:
        words, status, said = ["it did not end"], 1, ""
    count = next((int(line.split()[1]) for line in reversed(said.splitlines()) if line.startswith("inputs ")), 0)
    line = {
        "target": name,
        "seconds": round(time.monotonic() - began),
        "inputs": count,
        "status": status,
        "last": words,
    }
    print(json.dumps(line), flush=True)
    return int(status != 0 or bool(list(arguments.found.glob(f"{_file_name(name)}-*"))))


def _fuzz(name: str, arguments: argparse.Namespace) -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["clf_cli"]):
        from tests.fuzz.mutations import mutated
        from tests.fuzz.targets import SEEDS, TARGETS, check
    corpus = arguments.corpus / _file_name(name)
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds:
        shutil.copyfile(SEEDS / seed, corpus / f"seed-{_file_name(seed)}")
    arguments.found.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    seen: set[tuple[str, str, int | None]] = set()
    inputs, told = 0, 0.0

    def one(content: bytes) -> None:
        nonlocal inputs, told
        inputs += 1
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            sys.stdout.write(f"inputs {inputs}\n")
            sys.stdout.flush()
        try:
            check(name, content, folder)
        except Exception as error:  # noqa: BLE001 - each is a finding
            last = [frame for frame in traceback.extract_tb(error.__traceback__) if "clf_cli" in frame.filename][-1:]
            place = (type(error).__name__, *((last[0].filename, last[0].lineno) if last else ("", 0)))
            if place not in seen:
                seen.add(place)
                file = arguments.found / f"{_file_name(name)}-{hashlib.sha1(content).hexdigest()[:8]}"
                file.write_bytes(content)
                file.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))

    def mutate(content: bytes, largest: int, seed: int) -> bytes:
        """Half of them by structure, half as libFuzzer likes."""
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return atheris.Mutate(content, largest)
        return mutated(content, rng.randrange)[:largest]

    one((SEEDS / TARGETS[name].seeds[0]).read_bytes())  # what it imports must not count as the time of an input
    flags = [f"-max_total_time={arguments.seconds}", f"-max_len={LONGEST_INPUT}", f"-timeout={SLOW}"]
    flags += ["-rss_limit_mb=4096", f"-artifact_prefix={arguments.found}/{_file_name(name)}-", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one, custom_mutator=mutate)
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _file_name(name: str) -> str:
    return name.replace("/", "_").replace(":", "_")


if __name__ == "__main__":
    sys.exit(main())
