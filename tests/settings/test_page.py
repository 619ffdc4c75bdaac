"""docs/settings.md is what the declarations say."""

import subprocess
import sys
from pathlib import Path

from clf_cli.settings.page import page
from clf_cli.settings.root import COMMANDS, FLAG_ONLY, SECTIONS, all_settings, settings_of

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_in_docs_is_not_stale():
    assert DOCS.read_text(encoding="utf-8") == page(), "run: python -m clf_cli.settings.page > docs/settings.md"


def test_every_setting_has_one_row_with_flag_variable_and_meaning():
    rows = {line.split(" | ")[2].strip("`"): line for line in page().splitlines() if line.startswith("| `")}
    for setting in all_settings():
        if setting.path in FLAG_ONLY:
            continue
        row = rows[setting.variable]
        assert row.startswith(f"| `{setting.key}` |")
        assert (setting.field.description or "").replace("|", "\\|") in row
    assert all(f"`[{section}]`" in page() for section in SECTIONS)
    for command in COMMANDS:
        for setting in settings_of(command):
            assert all(f"`{name}`" in page() for flag in setting.flags for name in flag.split("/"))


def test_every_row_has_six_cells():
    for line in page().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 7


def test_the_module_prints_the_page_as_utf8():
    done = subprocess.run([sys.executable, "-m", "clf_cli.settings.page"], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode() == page()
