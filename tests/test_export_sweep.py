"""benchmarks/export_sweep.py: its page tells its results, all of timm's families are in them, and a sweep goes on."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from benchmarks import export_sweep
from benchmarks.export_sweep import RESULTS, bring_to_life, chosen, images, lines_of, page
from clf_cli.models.build import architecture, build_network
from clf_cli.models.weights import head_keys

PAGE = Path(__file__).parents[1] / "docs" / "export-support.md"
LINES = lines_of(RESULTS)


def test_the_page_is_what_the_results_say():
    assert PAGE.read_text(encoding="utf-8") == page(LINES, timm.list_modules())


def test_every_family_of_timm_is_on_the_page():
    """As a row, or by name among those that were not tried."""
    text = PAGE.read_text(encoding="utf-8")
    rows = {family for family, _ in re.findall(r"^\| (\w+) \| (\w+) \|", text, flags=re.MULTILINE)}
    named = re.search(r"^- Not tried: (.*)\.$", text, flags=re.MULTILINE)
    assert rows | set(named[1].split(", ") if named else []) >= set(timm.list_modules())


def test_at_least_sixty_were_tried_and_nearly_all_pass():
    passed = [line for line in LINES if line["passed"]]
    assert len(LINES) >= 60
    assert len(passed) >= 0.95 * len(LINES)
    for line in passed:
        assert line["relative_difference"] <= 1e-4
        assert line["same_class"]
        assert line["opset"] == 18
        assert line["spread"] > 1e-3, f"the answers of {line['arch']} hardly depend on the image"


def test_what_failed_says_why():
    for line in LINES:
        assert line["passed"] or len(line["reason"]) > 10


def test_one_of_each_family_is_chosen_and_cheap_ones_come_first():
    families, choices = chosen()
    first = choices[: len(families)]
    assert sorted(choice.family for choice in first) == families
    assert [choice.cost for choice in first] == sorted(choice.cost for choice in first)
    assert len({choice.arch for choice in choices}) == len(choices)


def test_a_page_with_failures_names_them():
    made = {"exporter": "torchscript", "nodes": 10, "bytes": 2_000_000, "relative_difference": 3e-6}
    common = {"cpu_seconds": 9.6, "versions": {"torch": "2"}, "height": 224, "width": 192, "parameters": 1_500_000}
    fallen = [{"rung": "torch.export", "reason": "it wrote opset 20"}]
    good = {"arch": "aa", "family": "one", "passed": True, "fallen": fallen, **made, **common}
    bad = {"arch": "bb", "family": "two", "passed": False, "stage": "export", "reason": "no way.", **common}
    text = page([bad, good], ["one", "three", "two"])
    assert "1 of 2 (50.0%)" in text
    assert "(2 of 3)" in text
    assert "- `bb` (two) cannot be exported: no way." in text
    assert "- Not tried: three." in text
    assert "- `aa`: torch.export: it wrote opset 20" in text
    assert "| one | aa | 224 x 192 | 1.5 | torchscript | 10 | 2.0 | 3e-06 | 10 | passed |" in text
    assert text.index("| one | aa") < text.index("| two | bb")


def test_a_sweep_goes_on_where_it_was_cut(tmp_path, monkeypatch):
    """The last line of an architecture counts; what failed is tried again when that is asked."""
    out = tmp_path / "sweep.jsonl"
    _, choices = chosen()
    said = [(choices[0].arch, True), (choices[1].arch, True), (choices[1].arch, False)]
    out.write_text("".join(json.dumps({"arch": arch, "passed": passed}) + "\n" for arch, passed in said))
    tried = []
    monkeypatch.setattr(export_sweep, "in_child", lambda arch: tried.append(arch) or {"passed": True})
    assert len(list(export_sweep.sweep(choices[:3], out, again=False))) == 1
    assert tried == [choices[2].arch]
    assert [line["arch"] for line in export_sweep.sweep(choices[:3], out, again=True)] == [choices[1].arch]
    assert {line["arch"]: line["passed"] for line in lines_of(out)} == {choice.arch: True for choice in choices[:3]}


def test_a_child_that_dies_is_a_line_with_the_reason(monkeypatch):
    monkeypatch.setattr(export_sweep, "LIMIT_SECONDS", 0.01)
    found = export_sweep.in_child("test_resnet")
    assert (found["passed"], found["stage"]) == (False, "process")
    assert "not done within" in found["reason"]


@pytest.mark.parametrize("arch", ["test_resnet", "test_vit", "test_efficientnet"])
def test_networks_are_brought_to_life(arch):
    network = build_network(arch, 10, image_size=(64, 64))
    facts = bring_to_life(network, head_keys(network.state_dict(), architecture(arch)), 64, 64)
    assert facts["float32_error"] < 1e-4
    with torch.no_grad():
        logits = network.eval()(images(8, 64, 64, 5))
    assert 0.02 < float(logits.std()) < 10
    assert float((logits - logits.mean(0)).std()) > 0.02
    for name, value in network.named_parameters():
        assert value.abs().max() > 0, name
        assert value.ndim > 1 or name.endswith("bias") or value.abs().min() > 0, name
    assert np.isclose(float(images(4, 32, 48, 0).std()), 1)
