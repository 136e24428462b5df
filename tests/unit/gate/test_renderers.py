import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len

from lsbench.cli.options import GateFormat
from lsbench.gate.renderers import (
    HEADER,
    RENDERERS,
    headline,
    row_texts,
    table_texts,
    to_console,
    to_json,
    to_junit,
    to_markdown,
)


def test_the_headline_counts_verdicts_worst_first(judgement):
    assert headline(judgement) == "nightly (default): 1 regressed, 1 inconclusive, 1 improved, 3 ok"
    assert headline(replace(judgement, findings=())) == "nightly (default): nothing compared"


def test_the_commit_of_the_own_repository_is_in_every_headline(judgement):
    mine = replace(judgement, judged="0123456789ab of acme")
    told = "nightly (default) at 0123456789ab of acme: 1 regressed"
    assert headline(mine).startswith(told)
    assert to_console(mine).startswith(told)
    assert to_markdown(mine).startswith(f"### {told}")
    assert json.loads(to_json(mine))["commit"] == mine.judged


def cells(judgement, number):
    return dict(zip(HEADER, row_texts(judgement.findings[number]), strict=True))


def test_cells_are_in_the_units_of_their_metric(judgement):
    lost = cells(judgement, 2)
    assert (lost["baseline"], lost["now"], lost["change"]) == ("70.00", "69.00", "-1.00")
    assert lost["interval"] == "[-1.00, -0.91]"
    assert lost["metric"] == "top-1 (%), fashion"
    timing = cells(judgement, 4)
    assert timing["change"].endswith("% time")
    low, high = (float(end) for end in timing["interval"].strip("[] %").split(","))
    assert low < 2.0 < high
    assert timing["metric"] == "latency / control"
    counted = cells(judgement, 5)
    assert (counted["change"], counted["interval"], counted["p"]) == ("+0.0000", "", "")
    gone = cells(judgement, 3)
    assert (gone["now"], gone["change"], gone["interval"]) == ("-", "-", "")


def test_trends_are_a_column_where_there_is_a_history(judgement):
    titles, rows = table_texts(judgement, judgement.findings)
    assert titles == list(HEADER)
    key = judgement.findings[0].compared.key
    titles, rows = table_texts(replace(judgement, trends={key: "▁█"}), judgement.findings)
    assert titles[-1] == "trend"
    assert [row[-1] for row in rows] == ["▁█", "", "", "", "", ""]


def test_the_table_has_a_line_per_row_and_the_notes(judgement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = to_console(judgement)
    assert text.startswith("nightly (default): 1 regressed, 1 inconclusive")
    assert text.count("fashion") == 4
    assert "<b>|x" in text
    assert "A note with <b>." in text


@pytest.mark.parametrize("columns", [40, 80, 100, 140])
def test_a_narrow_terminal_loses_no_word_and_no_number(judgement, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = to_console(judgement)
    assert max(map(cell_len, text.splitlines())) <= columns
    for row in table_texts(judgement, judgement.findings)[1]:
        for word in " ".join(row).replace("[", " ").replace(",", " ").replace("]", " ").split():
            assert word in text


def test_eighty_columns_take_two_parts_with_the_history_too(judgement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    trends = {finding.compared.key: "▁▂▃▄▅▆▇█▁▂" for finding in judgement.findings}
    for shown in (judgement, replace(judgement, trends=trends)):
        assert "part 2 of 2" in to_console(shown)
    monkeypatch.setenv("COLUMNS", "160")
    assert "part" not in to_console(judgement)


def test_the_worst_stands_first_and_has_a_colour_on_a_terminal(judgement, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain = to_console(judgement)
    verdicts = re.findall("^│ ([a-z]+)", plain, re.MULTILINE)
    assert verdicts == ["regressed", "inconclusive", "improved", "ok", "ok", "ok"]
    assert "\x1b" not in plain
    assert re.search("\x1b\\[1;31mregressed", to_console(judgement, is_styled=True))


def test_what_needs_a_look_comes_first_and_the_rest_is_folded(judgement):
    text = to_markdown(judgement)
    lines = text.splitlines()
    assert lines[0] == "### nightly (default): 1 regressed, 1 inconclusive, 1 improved, 3 ok"
    fold = lines.index("<details><summary>3 ok</summary>")
    assert [line for line in lines[:fold] if line.startswith("| ✅")] == []
    assert sum(line.startswith("| ✅ ok |") for line in lines[fold:]) == 3
    assert sum(line.startswith(("| ❌ **regressed** |", "| ❔", "| 🎉")) for line in lines[:fold]) == 3
    assert text.endswith("- A note with &lt;b&gt;.\n")


def test_a_name_breaks_no_cell(judgement):
    [line] = [line for line in to_markdown(judgement).splitlines() if "regressed** " in line]
    assert "&lt;b&gt;\\|x" in line
    assert line.replace("\\|", "").count("|") == 10


def test_a_calm_night_has_one_folded_table(judgement):
    calm = replace(judgement, findings=judgement.findings[:1], notes=())
    assert to_markdown(calm).count("| verdict |") == 1
    assert (
        to_markdown(replace(judgement, findings=(), notes=())) == "### nightly (default): nothing compared\n"
    )


def test_every_finding_is_a_mapping_in_si_units(judgement):
    content = json.loads(to_json(judgement))
    assert content["counts"] == {"ok": 3, "improved": 1, "regressed": 1, "inconclusive": 1}
    lost = content["findings"][2]
    assert (lost["baseline"], lost["value"]) == (0.7, 0.69)
    assert abs(lost["worsening"] - 0.01) < 1e-12
    assert lost["verdict"] == "regressed"
    assert content["findings"][3]["value"] is None
    assert content["notes"] == ["A note with <b>."]


def test_a_second_measurement_stands_beside_the_first(judgement):
    first = judgement.findings[4]
    twice = replace(judgement, findings=(replace(first, first=first),))
    [row] = json.loads(to_json(twice))["findings"]
    assert row["first_worsening"] == row["worsening"] > 0


def test_rows_are_test_cases_of_a_file_that_any_xml_reader_takes(judgement):
    root = ElementTree.fromstring(to_junit(judgement))
    for counted in (root, root.find("testsuite")):
        found = {name: counted.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert found == {"tests": "6", "failures": "1", "errors": "0", "skipped": "1"}
    cases = list(root.iter("testcase"))
    assert [case.get("classname") for case in cases] == ["top1.fashion"] * 4 + [
        "latency_ratio",
        "macs.fashion",
    ]
    assert cases[2].get("name") == "<b>|x*"
    kinds = [child.tag for case in cases for child in case]
    assert kinds == ["system-out", "system-out", "failure", "skipped", "system-out", "system-out"]
    assert cases[3].find("skipped").get("message")
    assert "100 lost and 0 gained" in cases[2].find("failure").get("message")
    assert "protocol: p|v1" in cases[2].find("failure").text
    assert root.find("testsuite/system-out").text == "A note with <b>."


def test_every_format_that_can_be_asked_for_has_a_renderer():
    assert list(RENDERERS) == [str(name) for name in GateFormat]
