"""JUnit XML as CI systems read it: well formed whatever the text, and counted right."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from clf_cli.render.junit import Case, junit_xml

CASES = (Case("graph"), Case("images", ("3 flips", "worse"), ("a.png: 'x'",)), Case("score", skipped="no data"))

# Attributes and children that Jenkins' and GitLab's readers of JUnit know; a document with others may be refused.
KNOWN = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname"}, {"failure", "skipped"}),
    "failure": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
}


def parsed(text):
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = KNOWN[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children
    return root


def test_one_suite_of_cases():
    root = parsed(junit_xml("model.onnx", "onnx_check", CASES))
    (suite,) = root
    for element in (root, suite):
        assert [element.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    assert suite.get("name") == "model.onnx"
    passed, failed, skipped = suite
    assert (passed.get("name"), passed.get("classname"), len(passed)) == ("graph", "onnx_check", 0)
    assert failed[0].get("message") == "3 flips; worse"
    assert failed[0].text == "3 flips\nworse\na.png: 'x'"
    assert skipped[0].get("message") == "no data"


@given(st.text(), st.text(), st.text())
def test_any_text_is_well_formed_and_arrives(name, reason, detail):
    (suite,) = parsed(junit_xml(name, "kind", (Case(name, (reason,), (detail,)), Case("x", skipped=reason))))
    assert suite[0].get("name") == legal(name)
    assert suite[0][0].get("message") == legal(reason)
    assert suite[0][0].text == legal(f"{reason}\n{detail}").replace("\r\n", "\n").replace("\r", "\n")


def legal(text):
    return "".join(one for one in text if not re.match("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", one))


def test_control_characters_and_half_characters_are_taken_out():
    (suite,) = parsed(junit_xml("a\x00b\x1b[0m\ud800", "kind", ()))
    assert suite.get("name") == "ab[0m"
