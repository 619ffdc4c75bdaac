"""The page about a data set in a real browser: nothing of the data runs, nothing is asked for, tables sort."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clf_cli.data.dataset import survey_dataset
from clf_cli.engine.dataset import dataset_report
from clf_cli.engine.dataset_page import dataset_page
from clf_cli.render.dataset_page import write_dataset_page
from clf_cli.settings.data_sections import InspectSection
from clf_cli.settings.sections import DataSection
from tests.browser import CHROMIUM, Browser, browser
from tests.report_pages import HOSTILE, draw_hostile_data

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    dataset = survey_dataset(DataSection(root=draw_hostile_data(folder / "data"), scan_cache=False), 0)
    write_dataset_page(dataset_page(dataset, dataset_report(dataset, InspectSection()).result), folder / "page.html")
    return folder / "page.html"


@pytest.mark.parametrize("width", [390, 1280])
def test_hostile_names_are_text_and_the_page_fits(tab, page, width):
    tab.open(page, width=width)
    assert tab.complaints == []
    assert [address for address in tab.requests if not address.startswith(("file:", "data:"))] == []
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("document.images.length") >= 2 * len(HOSTILE)
    assert tab.value("[...document.images].every(one => one.complete && one.naturalWidth > 0)")


def test_a_click_on_a_heading_sorts_the_classes(tab, page):
    tab.open(page)
    names = "[...document.querySelectorAll('#class-table tbody th')].map(one => one.textContent)"
    tab.value("document.querySelector('#class-table th .sort').click()")
    once = tab.value(names)
    tab.value("document.querySelector('#class-table th .sort').click()")
    assert tab.value(names) == once[::-1]
    assert len(once) == len(HOSTILE)
