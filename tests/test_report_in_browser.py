"""The page of a run in a real browser: what it shows, how it answers, and that it asks nobody for anything."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clf_cli.engine.report_page import Mistakes, ReportPage, report_page
from clf_cli.render.page_curves import value_text
from clf_cli.render.report_page import html, write_page
from clf_cli.values.run_dir import RunDir
from tests.browser import CHROMIUM, Browser, browser
from tests.report_pages import ALERT, HOSTILE, hostile, mistakes_of, with_classes, with_epochs

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"
)

PHONE, DESKTOP = 390, 1280


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tiny_run: RunDir) -> ReportPage:
    return report_page(tiny_run, Mistakes())


def stored(path: Path):
    return json.loads(path.read_text())["result"]


def text(tab, selector):
    return tab.value(f"document.querySelector({json.dumps(selector)}).textContent.trim()")


def texts(tab, selector):
    return tab.value(f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent.trim())")


def box(tab, selector):
    """Left, top, width and height of an element that is moved into sight."""
    return tab.value(
        f"""(() => {{
          const one = document.querySelector({json.dumps(selector)});
          one.scrollIntoView({{block: "center", behavior: "instant"}});
          const {{left, top, width, height}} = one.getBoundingClientRect();
          return [left, top, width, height];
        }})()"""
    )


def click(tab, selector):
    left, top, width, height = box(tab, selector)
    tab.click(left + width / 2, top + height / 2)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_nothing_and_complains_of_nothing(tab, tiny_run, width, scheme):
    tab.open(tiny_run.report_page, width=width, scheme=scheme)
    assert tab.requests == [tiny_run.report_page.resolve().as_uri()]
    assert tab.complaints == []
    assert tab.value("document.documentElement.scrollWidth") == width  # nothing sticks out
    ground = tab.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground.strip("rgb()").split(","))) > 600) == (scheme == "light")
    sizes = tab.value("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) == mistakes_of(tiny_run)
    assert all(size > 0 for size in sizes)


def test_its_numbers_are_those_of_the_reports(tab, tiny_run):
    tab.open(tiny_run.report_page)
    found = dict(zip(texts(tab, ".figure .what"), texts(tab, ".figure .value"), strict=True))
    val, test = (stored(tiny_run.report(kind)) for kind in ("metrics", "metrics-test"))
    assert found["Validation accuracy"] == f"{100 * val['acc_top1']:.1f} %"
    assert found["Test accuracy"] == f"{100 * test['acc_top1']:.1f} %"
    assert found["Macro F1"] == f"{100 * val['f1_macro']:.1f} %"
    assert found["Calibration error"] == f"{100 * val['ece']:.1f} %"
    facts = dict(zip(texts(tab, "#summary dt"), texts(tab, "#summary dd"), strict=True))
    assert facts["Parameters"].startswith(f"{stored(tiny_run.report('model_info'))['parameters']:,} ")
    assert texts(tab, "#data th[scope=row] ~ td.number")[:2] == ["60", "0"]


def test_the_matrix_answers_to_the_pointer(tab, tiny_run):
    tab.open(tiny_run.report_page)
    left, top, width, _ = box(tab, "#matrix-val .ground")
    cell, result = width / 3, stored(tiny_run.report("confusion"))
    for row, counts in enumerate(result["counts"]):
        for column, count in enumerate(counts):
            tab.move(left + (column + 0.5) * cell, top + (row + 0.5) * cell)
            true, predicted = result["labels"][row], result["labels"][column]
            head = f"{true}, right" if row == column else f"{true} → {predicted}"
            said = f"{count} of 8 images of {true}, {100 * count / 8:.1f}\u00a0%"
            assert texts(tab, "#matrix-val .tip > *") == [head, said]
            assert texts(tab, "#matrix-val .label.row.lit") == [true]
            assert texts(tab, "#matrix-val .label.column.lit") == [predicted]
    tab.move(5, 5)
    assert tab.value("document.querySelector('#matrix-val .tip').hidden")
    click(tab, "[data-show=matrix-test]")
    assert tab.value("document.querySelector('#matrix-val').hidden")
    left, top, width, _ = box(tab, "#matrix-test .ground")
    tab.move(left + width / 6, top + width / 6)
    assert text(tab, "#matrix-test .tip b") == f"{result['labels'][0]}, right"


def test_the_matrix_answers_to_the_keyboard(tab, tiny_run):
    tab.open(tiny_run.report_page)
    tab.value("document.querySelector('.tab').focus()")
    for key in ("Tab", "Tab"):
        tab.press(key)
    assert tab.value("document.activeElement.classList.contains('matrix')")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):  # the last one meets the border
        tab.press(key)
    labels = stored(tiny_run.report("confusion"))["labels"]
    assert text(tab, "#matrix-val .tip b") == f"{labels[1]} → {labels[2]}"
    tab.press("Escape")
    assert tab.value("document.querySelector('#matrix-val .tip').hidden")


def test_the_curves_answer_to_the_pointer_and_the_keyboard(tab, page, tmp_path):
    long = with_epochs(page, 20)
    write_page(long, tmp_path / "long.html")
    tab.open(tmp_path / "long.html")
    best = long.history.best_epoch
    assert texts(tab, ".panel .epoch") == [f"best epoch {best}"] * 3
    left, top, width, height = box(tab, ".panel:nth-child(2) .plot")
    for epoch in (1, 7, 20):
        x = json.loads(text(tab, "#values"))["curves"]["x"][epoch - 1]
        tab.move(left + x / 352 * width, top + height / 2)
        assert texts(tab, ".panel .epoch") == [f"epoch {epoch}"] * 3  # all panels show the same one
        columns = ("train/loss", "val/loss", "train/acc_top1", "val/acc_top1", "lr")
        wanted = [value_text(name, float(long.history.column(name)[epoch - 1])) for name in columns]
        assert texts(tab, ".panel .key b") == wanted
    tab.move(5, 5)
    tab.value("document.querySelector('.plot').focus()")
    tab.press("ArrowLeft")
    assert text(tab, ".panel .epoch") == f"epoch {best - 1}"
    tab.press("End")
    assert text(tab, ".panel .epoch") == "epoch 20"


def test_tables_are_sorted_and_searched(tab, page, tmp_path):
    many = with_classes(page, [f"class {i:04d}" for i in range(300)])
    write_page(many, tmp_path / "many.html")
    tab.open(tmp_path / "many.html")
    assert tab.complaints == []

    def column(number):
        return texts(tab, f"#class-table tbody tr > :nth-child({number})")

    def shares(number):
        return [float(value.removesuffix(" %")) for value in column(number) if value != "–"]

    assert shares(6) == sorted(shares(6))  # F1, the weakest first
    head = "#class-table thead tr:last-child th:nth-child({}) button"
    click(tab, head.format(6))
    assert shares(6) == sorted(shares(6), reverse=True)
    assert column(6)[-1] == "–"  # undefined stays last
    assert tab.value("document.querySelectorAll('#class-table [aria-sort]').length") == 1
    click(tab, head.format(2))
    images = [int(value) for value in column(2)]
    assert images == sorted(images, reverse=True)
    click(tab, head.format(1))
    assert column(1) == sorted(column(1))
    click(tab, "input[type=search]")
    for key in "0123":
        tab.call("Input.insertText", text=key)
    assert tab.value("[...document.querySelectorAll('#class-table tbody tr')].filter(row => !row.hidden).length") == 1


def test_names_that_are_markup_are_text(tab, page, tmp_path):
    write_page(hostile(page), tmp_path / "hostile.html")
    for width in (PHONE, DESKTOP):
        tab.open(tmp_path / "hostile.html", width=width)
        assert tab.complaints == []
        assert len(tab.requests) == 1
        assert tab.value("document.scripts.length") == 2
        assert tab.value("document.images.length") == 0
        assert tab.value("document.title") == f"{ALERT} · clf report"
        assert text(tab, "h1 bdi") == ALERT
        assert tab.value("document.documentElement.scrollWidth") == width
    left, top, width, _ = box(tab, ".ground")
    row = sorted(HOSTILE).index(ALERT)
    tab.move(left + 1, top + (row + 0.5) * width / len(HOSTILE))
    assert ALERT in text(tab, ".tip")
    assert tab.value("document.querySelectorAll('.tip script, .tip b *').length") == 0


def test_what_another_puts_into_the_page_does_not_run(tab, page, tmp_path):
    """The policy: no script but ours, nothing from elsewhere."""
    evil = '<script>document.title = "evil"</script><img src="http://127.0.0.1:9/x.png" onerror="document.title=1">'
    evil += '<p id="styled" style="color: red">x</p><link rel="stylesheet" href="http://127.0.0.1:9/x.css">'
    (tmp_path / "evil.html").write_text(html(page).replace("<footer>", f"{evil}<footer>"))
    tab.open(tmp_path / "evil.html")
    assert tab.value("document.title") == "tiny · clf report"
    assert tab.value("getComputedStyle(document.querySelector('#styled')).color") != "rgb(255, 0, 0)"
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)
    assert tab.value("performance.getEntriesByType('resource').filter(one => one.transferSize > 0).length") == 0
    left, top, width, _ = box(tab, ".ground")
    tab.move(left + width / 2, top + width / 2)
    assert not tab.value("document.querySelector('.tip').hidden")  # our own script did run
