"""Checks as JUnit XML, which CI systems show: one testcase a check. Elements and attributes that all of them read."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0, escaped or not


@dataclass(frozen=True)
class Case:
    """One check; passed where it neither failed nor was skipped. `details` are lines that belong to a failure."""

    name: str
    failures: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    skipped: str | None = None  # why it was not made


def junit_xml(suite: str, group: str, cases: Sequence[Case]) -> str:
    """One suite; `group` is the class name of its cases. A case has at most one failure: Jenkins keeps no more."""
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failures) for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.skipped is not None for case in cases)),
    }
    root = ET.Element("testsuites", {"name": "clf", **counts})
    inner = ET.SubElement(root, "testsuite", {"name": _legal(suite), **counts})
    for case in cases:
        element = ET.SubElement(inner, "testcase", {"name": _legal(case.name), "classname": _legal(group)})
        if case.failures:
            failure = ET.SubElement(element, "failure", {"message": _legal("; ".join(case.failures)), "type": "failed"})
            failure.text = _legal("\n".join((*case.failures, *case.details)))
        elif case.skipped is not None:
            ET.SubElement(element, "skipped", {"message": _legal(case.skipped)})
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _legal(text: str) -> str:
    """Without the characters that no XML document may hold."""
    return _ILLEGAL.sub("", text)
