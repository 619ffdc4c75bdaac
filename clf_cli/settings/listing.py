"""options.json: `python -m clf_cli.settings.listing` writes it from the declarations, a test compares it."""

import json
from dataclasses import asdict

from clf_cli.settings import kinds
from clf_cli.settings.option import LISTING, Option, Options, declarations
from clf_cli.settings.root import SECTIONS, Setting

_BY_PLACE = ("section", "title", "key", "prefixed")  # said by the place in the file, or by the command


def declared() -> Options:
    """Every setting as the help shows it."""
    return {
        section: {key: _option(Setting(section, key)) for key in table.model_fields}
        for section, table in SECTIONS.items()
    }


def listing() -> str:
    """The whole file."""
    sections = {
        section: {"title": SECTIONS[section].title, "options": {key: _row(option) for key, option in options.items()}}
        for section, options in declared().items()
    }
    return json.dumps({"declarations": declarations(), "sections": sections}, indent=1, ensure_ascii=False) + "\n"


def _option(setting: Setting) -> Option:
    return Option(
        section=setting.section,
        title=SECTIONS[setting.section].title,
        key=setting.key,
        names=setting.marker.names,
        is_switch=setting.is_switch,
        is_list=setting.is_list,
        metavar="" if setting.is_switch else kinds.metavar(setting),
        choices=kinds.choices(setting),
        bounds="" if setting.is_switch else kinds.bounds(setting),
        default=setting.default if setting.is_switch else kinds.shown(setting.default) or None,
        description=setting.field.description or "",
    )


def _row(option: Option) -> dict[str, object]:
    return {name: value for name, value in asdict(option).items() if name not in _BY_PLACE}


if __name__ == "__main__":
    LISTING.write_text(listing(), encoding="utf-8", newline="\n")
