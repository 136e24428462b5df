import json
import math
from dataclasses import replace

from lsbench.rendering.side_by_side import HEADER, beside_json, beside_notes, beside_rows, table_text
from lsbench.stats.paired import Difference, over_seeds
from lsbench.tables.comparisons import Comparison
from lsbench.tables.side_by_side import Beside

DIFFERENCE = Difference(0.05, 0.03, 0.07, 0.001, 0.01, math.inf, 3, 100)
COMPARED = Comparison("ls", "ls in B", "ls in A", "top1", "fashion", "p|v1", DIFFERENCE, 0.002)
ROWS = [
    Beside("ls", "top1", "fashion", "p|v1", 0.7, 0.75, COMPARED),
    Beside("<b>", "params", None, "q|v1", 2e6, None, remark="only A"),
]
NAMES = ("one", "two")


def test_holes_are_shown_as_holes_and_differences_with_their_interval():
    first, second = beside_rows(ROWS)
    assert first == ["ls", "fashion top-1 (%)", "70.00", "75.00", "+5.00", "+3.00 to +7.00", "0.0020", ""]
    assert second == ["<b>", "params (M)", "2.000", "-", "-", "-", "-", "only A"]


def test_no_interval_leaves_what_is_possible():
    found = over_seeds([0.3, -0.34])
    one = Beside(
        "ls", "top1", "fashion", "p|v1", 0.7, 0.68, replace(COMPARED, difference=found, p_adjusted=0.9)
    )
    assert beside_rows([one])[0][4:6] == ["-2.00", "-100.00 to +100.00"]
    assert "two seeds cannot tell" in beside_notes([one], NAMES)[1]


def test_the_notes_say_the_sides_the_words_and_the_protocols():
    notes = beside_notes(ROWS, NAMES)
    assert notes[0] == "A: one. B: two."
    assert notes[1] == "top-1: ls in B is better than ls in A by 5.0 points, 95 % interval 3.0 to 7.0."
    assert notes[-2:] == ["top-1 (%): fashion|p|v1.", "params (M): q|v1."]


def test_in_a_narrow_terminal_every_part_says_which_variant_and_metric_a_row_is_of(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    text = table_text("console", "t", HEADER, beside_rows(ROWS), [])
    parts = text.count("t, part ")
    assert parts > 1
    assert text.count("params (M)") == text.count("only A") * parts == parts


def test_every_format_holds_every_row():
    text = {name: table_text(name, "t", HEADER, beside_rows(ROWS), ["n"]) for name in ("console", "markdown")}
    assert "&lt;b&gt;" in text["markdown"]
    assert "<b>" in text["console"]
    found = json.loads(beside_json(ROWS, NAMES))
    assert [row["variant"] for row in found["rows"]] == ["ls", "<b>"]
    assert found["rows"][0]["comparison"]["freedom"] is None
