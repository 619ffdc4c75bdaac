"""docs/settings.md: `python -m clf_cli.settings.page > docs/settings.md` writes it, a test compares it."""

import sys

from clf_cli.settings.kinds import expected, shown
from clf_cli.settings.root import COMMANDS, FLAG_ONLY, SECTIONS, Setting, all_settings, settings_of

_HEAD = """# Settings

Written by `python -m clf_cli.settings.page` from the declarations in `clf_cli/settings/sections.py`; do not edit.

A setting has one declaration and three names: a flag, a variable and a key in a TOML file. Flags win over variables,
variables over the file given with `--config` (else `./clf.toml`, else `[tool.clf]` in `./pyproject.toml`), files over
the defaults. `clf config show` prints every value with its source, `clf train --print-config` those of one command
line, `clf config schema` the JSON schema of `clf.toml`.

A variable that is set to nothing counts as not set. Lists are repeated flags or comma-separated values. An unknown
key or variable is an error; `CLF_CACHE_DIR`, the folder of what may be rebuilt at any time, is the one variable that
is no setting. `--resume` is a flag only: nothing resumes by itself.
"""


def page() -> str:
    """The whole page as Markdown."""
    flags: dict[str, dict[str, list[str]]] = {}
    for command in COMMANDS:
        for setting in settings_of(command):
            flags.setdefault(setting.path, {}).setdefault(_flags(setting), []).append(command)
    parts = [_HEAD]
    for section, table in SECTIONS.items():
        rows = [_row(s, flags.get(s.path, {})) for s in all_settings() if s.section == section]
        head = ["| key | flag | variable | takes | default | meaning |", "|---|---|---|---|---|---|"]
        parts.append("\n".join([f"## {table.title}: `[{section}]`", "", *head, *rows, ""]))
    return "\n".join(parts)


def _row(setting: Setting, flags: dict[str, list[str]]) -> str:
    cells = [
        f"`{setting.key}`",
        "<br>".join(f"{flag} ({', '.join(commands)})" for flag, commands in flags.items()) or "–",
        "–" if setting.path in FLAG_ONLY else f"`{setting.variable}`",
        expected(setting),
        f"`{shown(setting.default)}`" if shown(setting.default) else "–",
        setting.field.description or "",
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _flags(setting: Setting) -> str:
    return " ".join(f"`{name}`" for flag in setting.flags for name in flag.split("/"))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # a text file, unless replaced
    sys.stdout.write(page())
