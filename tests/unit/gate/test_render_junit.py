from xml.etree import ElementTree

from lsbench.gate.render_junit import render


def test_rows_are_test_cases_of_a_file_that_any_xml_reader_takes(judgement):
    root = ElementTree.fromstring(render(judgement))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "1", "1")
    cases = list(root.iter("testcase"))
    assert [case.get("classname") for case in cases] == ["top1.fashion"] * 4 + [
        "latency_ratio",
        "macs.fashion",
    ]
    assert cases[2].get("name") == "<b>|x*"
    kinds = [child.tag for case in cases for child in case]
    assert kinds == ["system-out", "system-out", "failure", "error", "system-out", "system-out"]
    assert "100 lost and 0 gained" in cases[2].find("failure").get("message")
    assert "protocol: p|v1" in cases[2].find("failure").text
    assert root.find("testsuite/system-out").text == "A note with <b>."
