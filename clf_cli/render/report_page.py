"""The page about a run as one HTML file."""

from pathlib import Path

from clf_cli.engine.report_page import ReportPage, ReportResult
from clf_cli.files import write_atomic
from clf_cli.render.page_classes import class_rows
from clf_cli.render.page_curves import curves
from clf_cli.render.page_facts import (
    SPLIT_NAMES,
    STATUS,
    commands,
    facts,
    headline,
    lede,
    notices,
)
from clf_cli.render.page_matrix import matrix
from clf_cli.render.page_reliability import reliability
from clf_cli.render.page_shares import shares
from clf_cli.render.page_template import fill

TITLES = {
    "summary": "Summary",
    "curves": "Curves",
    "confusion": "Confusion matrix",
    "mistakes": "Worst mistakes",
    "classes": "Classes",
    "calibration": "Calibration",
    "data": "Data",
    "settings": "Settings",
    "export": "Export",
    "environment": "Environment",
    "reproduce": "Reproduce",
    "log": "Log",
}


def write_page(page: ReportPage, path: Path) -> ReportResult:
    """Writes the page, whole or not at all (RunError): the same page gives the same bytes."""
    content = html(page).encode("utf-8", "backslashreplace")  # a file name may hold bytes that are no text
    write_atomic(path, lambda file: file.write(content))
    return ReportResult(path.as_posix(), len(content), page)


def html(page: ReportPage) -> str:
    """The whole file. Every text of the run is escaped by the template engine."""
    shown = curves(page.history) if page.history is not None else None
    matrices = [matrix(result, split) for split, result in page.confusions.items()]
    return fill(
        "page.html.j2",
        page=page,
        sections=page.sections,
        titles=TITLES,
        split_names=SPLIT_NAMES,
        status=STATUS[page.record.status],
        lede=lede(page),
        headline=headline(page),
        notices=notices(page),
        facts=facts(page),
        curves=shown,
        matrices=matrices,
        reliability=reliability(page.calibration) if page.calibration is not None else (),
        class_rows=class_rows(page),
        shares=shares(page.data) if page.data is not None else None,
        commands=commands(page),
        values={"curves": shown.script if shown else None, "matrices": [found.script for found in matrices]},
    )
