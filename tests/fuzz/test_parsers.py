"""Every parser of ours under inputs that are nearly right, and under those that were ever found to break one.

By hand, longer and guided by coverage: tests/fuzz/run_atheris.py.
"""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import SEEDS, TARGETS, check

CORPUS = Path(__file__).parent / "corpus"
SLOWEST = 20.0  # seconds for one input, on a busy machine
EXAMPLES = int(os.environ.get("CLF_TESTS_FUZZ_EXAMPLES", "60"))
DEAR = 8  # how many times fewer where a page is drawn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def place(folder, name):
    found = folder / name.replace("/", "_").replace(":", "_")
    found.mkdir(exist_ok=True)
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read(folder, name):
    """Else the inputs made from them would all be refused for the same reason."""
    for seed in TARGETS[name].seeds:
        refused = name == "weights" and seed in ("zip.pt", "legacy.ckpt")  # there to be mutated
        assert check(name, (SEEDS / seed).read_bytes(), place(folder, name)) or refused, seed


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_ends_in_a_value_or_an_expected_failure(folder, name):
    """One that raises anything else, warns, or takes longer than SLOWEST is a bug."""
    examples = EXAMPLES // (DEAR if name.startswith("run:") else 1)

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def tried(data):
        seeds = TARGETS[name].seeds
        seed = SEEDS / seeds[data.draw(st.integers(0, len(seeds) - 1))]
        content = mutated(seed.read_bytes(), lambda count: data.draw(st.integers(0, count - 1)))
        started = time.monotonic()
        check(name, content, place(folder, name))
        assert time.monotonic() - started < SLOWEST

    tried()


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_stays_found(folder, name):
    for path in sorted((CORPUS / name.replace("/", "_").replace(":", "_")).glob("*")):
        check(name, path.read_bytes(), place(folder, name))


def test_the_corpus_has_no_folder_without_a_target():
    known = {name.replace("/", "_").replace(":", "_") for name in TARGETS}
    assert {path.name for path in CORPUS.glob("*")} <= known
