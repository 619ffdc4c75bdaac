"""The page about a run as one HTML file: templates, style and script lie in page/; nothing is loaded from elsewhere."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from clf_cli import __version__
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
    size_text,
    time_text,
)
from clf_cli.render.page_matrix import matrix
from clf_cli.render.page_reliability import reliability
from clf_cli.render.page_shares import shares
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

FOLDER = "page"  # of templates, style and script, beside this file
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
    style, script = _part("page.css"), _part("page.js")
    shown = curves(page.history) if page.history is not None else None
    matrices = [matrix(result, split) for split, result in page.confusions.items()]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            titles=TITLES,
            split_names=SPLIT_NAMES,
            status=STATUS[page.record.status],
            lede=lede(page),
            version=__version__,
            policy=_policy(style, script),
            style=Markup(style),  # our own file
            script=Markup(script),  # our own file
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
    )


def _part(name: str) -> str:
    return (files("clf_cli.render") / FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: our style, our script and pictures inside the page; everything else is refused."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    ours, runs = (f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; style-src {ours}; script-src {runs}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("clf_cli.render", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "decimal": decimal,
        "label": label,
        "tail": lambda text, limit: text if len(text) <= limit else f"…{text[1 - limit :]}",
        "counted": counted,
        "size": size_text,
        "time": time_text,
        "whole": lambda value: f"{value:,.0f}" if math.isfinite(value) else UNDEFINED,
        "picture": lambda jpeg: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}",
        "for_script": for_script,
    }
    return environment


def for_script(value: Mapping[str, Any]) -> Markup:
    """JSON inside a script element: no text in it can end the element or begin another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # made safe by the lines above
