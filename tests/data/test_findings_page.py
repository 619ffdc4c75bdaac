"""docs/findings.md is what the declarations say."""

from pathlib import Path

from clf_cli.data.codes import CODES
from clf_cli.data.findings_page import page

DOCS = Path(__file__).parents[2] / "docs" / "findings.md"


def test_the_page_in_docs_is_not_stale():
    assert DOCS.read_text(encoding="utf-8") == page(), "run: python -m clf_cli.data.findings_page > docs/findings.md"


def test_every_code_has_one_row_with_its_fix():
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page().splitlines() if line.startswith("| CLF")}
    assert list(rows) == list(CODES)
    for code, row in rows.items():
        assert CODES[code].fix.replace("|", "\\|") in row
        assert row.replace("\\|", "").count("|") == 6


def test_codes_are_grouped_by_hundreds_in_order():
    assert list(CODES) == sorted(CODES)
    assert page().count("\n## ") == len({code[3] for code in CODES})
