"""clf models."""

import json
import os
import subprocess
import sys

import pytest
import timm

from tests.running import Clf


def models(done):
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)["result"]["models"]


def test_all_of_them(clf: Clf):
    found = models(clf("models", "--json"))
    assert {one["architecture"] for one in found} == set(timm.list_models())
    assert [one["name"] for one in found] == sorted(one["name"] for one in found)


def test_one_with_its_weights(clf: Clf):
    found = {one["name"]: one for one in models(clf("models", "resnet18.", "--json"))}
    assert set(found) >= set(timm.list_pretrained("resnet18"))
    first = found["resnet18.a1_in1k"]
    assert (first["default"], first["parameters"]) == (True, 11_689_512)
    assert (first["licence"], first["source"]) == ("apache-2.0", "timm/resnet18.a1_in1k")


def test_the_smallest_first(clf: Clf):
    found = models(clf("models", "*mobile*", "--sort", "parameters", "--pretrained", "--json"))
    counts = [one["parameters"] for one in found]
    assert counts == sorted(counts)
    assert all("mobile" in one["name"] and one["source"] for one in found)


def test_a_table_for_people(clf: Clf):
    done = clf("models", "resnet18")
    assert "resnet18.a1_in1k" in done.stdout
    assert "published weights" in done.stdout
    assert done.stderr == ""


def test_in_a_pipe_every_line_is_whole():
    command = [sys.executable, "-m", "clf_cli", "models", "vit_betwixt"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, encoding="utf-8", env=dict(os.environ)
    )  # os.environ by name: readline gave the process a width that is not in it
    assert "vit_betwixt_patch16_reg4_gap_384.sbb2_e200_in12k_ft_in1k" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resnt18",), "Did you mean resnet18"),
        (("zzzz",), "`clf models` lists all of them"),
        (("test_mambaout", "--pretrained"), "Leave --pretrained away"),
        (("resnet18", "--sort", "size"), "--sort"),
        (("resnet18", "resnet50"), "resnet50"),
    ],
)
def test_mistakes(clf: Clf, arguments, words):
    done = clf("models", *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert words in done.stderr
