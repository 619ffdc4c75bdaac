"""Pages as one HTML file each: templates, style and script lie in page/; nothing is loaded from elsewhere."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from clf_cli import __version__
from clf_cli.data.samples import printable
from clf_cli.render.page_facts import size_text, time_text
from clf_cli.render.text import UNDEFINED, counted, decimal, label, percent

FOLDER = "page"  # of templates, style and script, beside this file


def fill(template: str, **names: Any) -> str:
    """The whole file that a template of page/ gives with `names`; the template engine escapes every text in them."""
    style, script = _part("page.css"), _part("page.js")
    return (
        _environment()
        .get_template(template)
        .render(
            version=__version__,
            policy=_policy(style, script),
            style=Markup(style),  # our own file
            script=Markup(script),  # our own file
            **names,
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
        "text": printable,
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
