"""Hostile inputs through the real command line: each ends in a clear error, a counted skip or a right answer.

The tables name every input and its end; docs/reliability.md tells how many there are.
"""

import ast
import time
from pathlib import Path

import pytest

from clf_cli.values.run_dir import RunDir
from tests.faults.hostile_case import Case
from tests.faults.hostile_data import DATASETS, IMAGES, SETTINGS
from tests.faults.hostile_models import MODELS, TRACE
from tests.faults.hostile_onnx import ONNX
from tests.running import Clf

CASES = {**MODELS, **ONNX, **DATASETS, **SETTINGS, **IMAGES}
FORBIDDEN = {"pickle.load", "pickle.loads", "joblib.load", "eval", "exec", "marshal.loads", "yaml.load", "shelve.open"}
BETWEEN_OWN_PROCESSES = ("scan_process.py", "pickle.load")  # a pipe from a child of this very process, no file
SLOWEST = 20.0  # seconds, on a busy machine


@pytest.mark.parametrize("name", CASES)
def test_the_end_of_a_hostile_input(
    clf: Clf, tiny_run: RunDir, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The exit code and the words that were expected, no traceback, no control characters, nothing run or left."""
    folder = tmp_path_factory.mktemp("hostile")
    monkeypatch.chdir(folder)
    case: Case = CASES[name]
    arguments = case.build(folder, tiny_run)
    started = time.monotonic()
    done = clf(*arguments)
    said = done.stdout + done.stderr
    assert done.code == case.code, said
    assert case.words in " ".join(said.split()), said
    assert not case.skipped or '"unreadable": 1,' in done.stdout
    assert "Traceback" not in said
    assert not [char for char in said if not char.isprintable() and char not in "\n\t"]
    assert bool(done.stdout) == (case.code in (0, 1)), done.stdout
    assert not (folder / TRACE).exists()
    assert time.monotonic() - started < SLOWEST


def test_the_count_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert f"**{len(CASES)} of {len(CASES)}**" in text


def test_nothing_is_ever_unpickled() -> None:
    """In the source: torch.load only with weights_only=True, and no other reader that runs what a file says."""
    root = Path(__file__).parents[2] / "clf_cli"
    loads = 0
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            where = f"{path.name}:{node.lineno}"
            assert name not in FORBIDDEN or (path.name, name) == BETWEEN_OWN_PROCESSES, where
            assert not name.endswith((".load_from_checkpoint", ".load_state_dict_from_url")), where
            if name == "torch.load":
                loads += 1
                assert said.get("weights_only") == "True", where
            if name == "np.load" and path.name != "onnx_quantize.py":  # of a file that the same command has written
                assert said.get("allow_pickle") == "False", where
            if name.endswith("trainer.fit"):
                assert "weights_only" in said, where
    assert loads == 1
