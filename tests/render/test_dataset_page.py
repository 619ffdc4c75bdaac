"""The page about a data set: complete, self-contained, and no text in it is markup."""

import base64
import re
from dataclasses import replace

import pytest

from clf_cli.data.dataset import survey_dataset
from clf_cli.data.samples import Finding
from clf_cli.engine.dataset import dataset_report
from clf_cli.engine.dataset_page import dataset_page
from clf_cli.errors import RunError
from clf_cli.render.dataset_page import CLASSES_SHOWN, PLACES_SHOWN, html, write_dataset_page
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import DataSection
from tests.html_document import Document
from tests.render.test_dataset import result
from tests.report_pages import ALERT, HOSTILE, draw_hostile_data


def page_of(data):
    dataset = survey_dataset(DataSection(root=data, scan_cache=False), 0)
    return dataset_page(dataset, dataset_report(dataset, InspectSection()).result)


@pytest.fixture(scope="module")
def page(tiny_dataset):
    return page_of(tiny_dataset)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return page_of(draw_hostile_data(tmp_path_factory.mktemp("hostile") / f"data <b> & {ALERT.replace('/', '')}"))


def test_every_section_has_its_heading_and_a_link(page):
    document = Document(html(page))
    ids = [attributes["id"] for attributes in document.of("section")]
    assert ids == list(page.sections)
    assert {"summary", "classes", "sizes", "examples"} <= set(ids)
    assert [attributes["href"] for attributes in document.of("a")] == [f"#{name}" for name in ids if name != "summary"]
    assert "discs · clf data" in document.texts


def test_every_class_is_a_row_with_its_counts_and_some_of_its_images(page, tiny_dataset):
    document = Document(html(page))
    for name, counts in zip(page.result.labels, page.result.counts.tolist(), strict=True):
        at = document.texts.index(name)
        assert [str(count) for count in counts] == document.texts[at + 2 : at + 2 + len(counts)]
    sources = [attributes for attributes in document.of("img") if attributes["title"].startswith("train/")]
    assert {attributes["title"].split("/")[1] for attributes in sources} == set(page.result.labels)
    for attributes in sources:
        assert base64.b64decode(attributes["src"].partition("base64,")[2]).startswith(b"\xff\xd8")
        assert (tiny_dataset / attributes["title"]).is_file()


def test_findings_of_images_show_them(hostile):
    document = Document(html(hostile))
    found = next(f for f in hostile.result.findings if f.code == "CLF401")
    assert found.path in hostile.places
    assert "one image in two splits" in document.texts
    pictured = [attributes["title"] for attributes in document.of("img")]
    assert found.path in pictured


def test_places_without_a_picture_are_named(page):
    others = ("b<i>.png", *(f"{number}.png" for number in range(PLACES_SHOWN)))
    found = Finding.of("CLF602", "a\t.png", "file names hold U+0009", others=others)
    document = Document(html(replace(page, result=replace(page.result, findings=(found,), gate=None))))
    assert {"b<i>.png", "0.png", "and 1 more; --json has them all"} <= set(document.texts)
    assert f"{PLACES_SHOWN - 1}.png" not in document.texts


def test_markup_in_labels_keys_and_file_names_stays_text(hostile):
    text = html(hostile)
    document = Document(text)
    assert len(document.of("script")) == 2
    for tag, attributes in document.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
    assert [attributes["src"][:5] for attributes in document.of("img")] == ["data:"] * len(document.of("img"))
    for name in (ALERT, "{{ 7 * 7 }}", "(empty)", "שלום"):
        assert name in document.texts
    assert len(hostile.result.labels) == len(HOSTILE)
    assert not re.search(r"https?://", text)


def test_the_same_data_give_the_same_bytes_wherever_they_lie(page, tiny_dataset, tmp_path):
    (tmp_path / "discs").symlink_to(tiny_dataset)
    again = page_of(tmp_path / "discs")
    assert html(again) == html(page)
    assert str(tiny_dataset.parent) not in html(page)


def test_an_empty_set_and_ten_thousand_classes_have_a_page(page):
    many = result([f"c{i:05}" for i in range(10_000)], [(1 + i // 9_999, 1) for i in range(10_000)])
    text = html(replace(page, result=many))
    assert len(text) < 4_000_000
    assert f"{10_000 - CLASSES_SHOWN:,} between the largest and the rarest are not shown." in text
    assert "c09999" in text
    nothing = replace(result(names=("a", "b"), counts=((0, 0), (0, 0))), sizes=())
    assert "sizes" not in replace(page, result=nothing).sections
    Document(html(replace(page, result=nothing)))


def test_an_image_that_is_gone_has_no_picture(page):
    gone = replace(page, pictures={})
    assert "examples" not in gone.sections
    assert Document(html(gone)).of("img") == []


def test_the_file_is_whole_or_not_there(page, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"Cannot write .*page\.html"):
        write_dataset_page(page, tmp_path / "file" / "page.html")
