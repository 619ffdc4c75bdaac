import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from importlib.resources import files

import pytest
from PIL import Image

from clf_cli.engine.report_page import Mistakes, report_page, worst_images
from clf_cli.engine.stored_reports import CalibrationFacts
from clf_cli.errors import RunError
from clf_cli.render import figures
from clf_cli.render.page_template import for_script
from clf_cli.render.report_page import html, write_page
from tests.html_document import Document
from tests.report_pages import ALERT, HOSTILE, hostile, predictions_of, with_classes, with_epochs


@pytest.fixture(scope="module")
def page(tiny_run):
    return report_page(tiny_run, Mistakes())


@pytest.fixture(scope="module")
def text(page):
    return html(page)


def test_every_section_has_its_heading_and_a_link(page, text):
    document = Document(text)
    ids = [attributes["id"] for attributes in document.of("section")]
    assert ids == list(page.sections)
    links = [attributes["href"] for attributes in document.of("a")]
    assert links == [f"#{name}" for name in ids if name != "summary"]
    assert len(document.of("h2")) == len(ids)
    assert document.of("title") == [{}]
    assert "tiny · clf report" in document.texts


def test_numbers_are_in_the_text_itself(page, text):
    texts = Document(text).texts
    for name in ("val/acc_top1", "test/acc_top1", "val/f1_macro"):
        assert f"{100 * page.numbers[name]:.1f} %" in texts
    assert "test_resnet" in texts
    for name in ("blue", "green", "red"):
        assert name in texts


def test_nothing_is_loaded_from_elsewhere(text):
    for tag, attributes in Document(text).elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        for name in ("src", "href", "xlink:href", "action", "poster", "srcset", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    own = "".join((files("clf_cli.render") / "page" / name).read_text() for name in ("page.css", "page.js"))
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp|WebSocket|eval\(|innerHTML|document\.write", own)
    assert not re.search(r"https?://", text)


def test_the_policy_lets_our_style_and_script_run_and_nothing_else(text):
    document = Document(text)
    policy = next(m["content"] for m in document.of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["base-uri"] == rules["form-action"] == "'none'"

    def hash_of(content):
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    assert rules["style-src"] == hash_of(re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1])
    assert rules["script-src"] == hash_of(re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1])
    kinds = [attributes.get("type") for attributes in document.of("script")]
    assert kinds == ["application/json", None]


def test_markup_in_names_paths_settings_and_log_stays_text(page):
    text = html(hostile(page))
    document = Document(text)
    assert len(document.of("script")) == 2
    assert not [tag for tag, _ in document.elements if tag == "b" and "bold" in tag]
    for tag in ("svg", "img"):
        assert not [attributes for attributes in document.of(tag) if set(attributes) & {"onload", "onerror"}]
    assert ALERT in document.texts
    assert "</script><script>alert(2)</script>" in document.texts
    assert "{{ 7 * 7 }}" in document.texts
    assert "49" not in document.texts
    assert "(empty)" in document.texts
    values = json.loads(document.scripts[-2])
    assert len(values["matrices"][0]["names"]) == len(HOSTILE)
    assert ALERT in values["matrices"][0]["names"]
    data = text[text.index('id="values">') : text.index("</script>", text.index('id="values">'))]
    assert "<" not in data.partition(">")[2]


@pytest.mark.parametrize("value", ["</script>", "<!--", "]]>", "\u2028", "&amp;", "</ScRiPt >"])
def test_json_in_a_script_can_hold_anything(value):
    found = for_script({"a": value})
    assert json.loads(found) == {"a": value}
    assert not re.search("[<>&\u2028\u2029]", found)


def test_file_names_that_are_no_text_do_not_stop_the_page(page, tmp_path):
    odd = replace(page, log=("\udcff",))
    write_page(odd, tmp_path / "page.html")
    assert "\\udcff" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_thousand_classes_and_a_thousand_epochs_stay_below_two_megabytes(page):
    text = html(with_epochs(with_classes(page, [f"class {i:04d}" for i in range(1000)]), 1000))
    assert len(text.encode()) < 1_200_000  # pictures take at most as much again
    document = Document(text)
    assert "Shown are the 40 of 1,000 classes with the most errors" in " ".join(" ".join(document.texts).split())
    assert len([t for t in document.texts if t == "class 0500"]) >= 1


@pytest.mark.parametrize(
    "change",
    [
        {"history": None},
        {"scores": {}, "confusions": {}},
        {"confusions": {}},
        {"data": None},
        {"model": None, "train": None, "export": None, "contract": None},
        {"export": None},
        {"contract": None},
        {"log": (), "sources": ()},
        {"seconds": None},
        {"mistakes": Mistakes(note="gone")},
        {"calibration": CalibrationFacts("val", None, 1.5, 0.95, 0.2, 0.1, math.nan, math.nan, (), ())},
    ],
    ids=",".join,
)
def test_what_a_run_did_not_write_is_left_out(page, change):
    changed = replace(page, **change)
    document = Document(html(changed))
    assert [attributes["id"] for attributes in document.of("section")] == list(changed.sections)


def test_an_unfinished_run_says_so(page):
    for status, words in (("running", "not finished"), ("failed", "failed"), ("interrupted", "interrupted")):
        document = Document(html(replace(page, record=replace(page.record, status=status))))
        assert words in document.texts
        assert [p for p in document.of("p") if p.get("class") == "notice warn"]


def test_pictures_lie_in_the_page(page, tmp_path):
    Image.new("RGB", (30, 30), "red").save(tmp_path / "a.png")
    document = Document(html(replace(page, mistakes=worst_images(predictions_of(["a.png", "b.png"]), tmp_path))))
    sources = [attributes["src"] for attributes in document.of("img")]
    assert len(sources) == 1
    assert base64.b64decode(sources[0].partition("base64,")[2]).startswith(b"\xff\xd8")
    assert "1 of 2 pictures can no longer be read." in document.texts


def test_the_colours_are_those_of_the_pictures():
    style = (files("clf_cli.render") / "page" / "page.css").read_text()
    named = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style[: style.index("@media")]))
    for name in ("ink", "faint", "line", "blue", "sky", "vermillion", "green", "purple"):
        assert named[name] == vars(figures)[name.upper()]
    dark = style[style.index("@media screen and (prefers-color-scheme: dark)") :]
    assert set(named) == {name for name, _ in re.findall(r"--(\w+): (#[0-9a-f]{6})", dark[: dark.index("\n}")])}


def test_the_file_is_whole_or_not_there(page, tmp_path):
    one, two = (write_page(page, tmp_path / name) for name in ("one.html", "two.html"))
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert one.bytes == two.bytes == (tmp_path / "one.html").stat().st_size
    assert one.to_result()["sections"] == list(page.sections)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"Cannot write .*page\.html"):
        write_page(page, tmp_path / "file" / "page.html")
