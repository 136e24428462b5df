import json
import math
from dataclasses import replace

from lsbench.rendering.side_by_side import (
    HEADER,
    agreement_notes,
    beside_json,
    beside_notes,
    beside_rows,
    table_text,
)
from lsbench.stats.paired import Difference, over_seeds
from lsbench.tables.answer_changes import Agreement, AnswerChanges
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


def test_other_answers_are_told_in_one_line_with_the_spread_over_seeds():
    rows = [AnswerChanges("LS", 10_000, 5, 31.4, (700, 910)), AnswerChanges("id", 10_000, 5, 0.0, (600, 800))]
    told = "Of 10,000 images of fashion, B answers differently than A, mean over 5 seeds: "
    (note,) = agreement_notes([Agreement("fashion", "v1", rows)], {}, [])
    assert note == (
        f"{told}LS 31.4 (two seeds of A: 700 to 910), id 0 (two seeds of A: 600 to 800). "
        "That is within the spread over seeds."
    )
    rows[1] = replace(rows[1], changed=801.0)
    assert agreement_notes([Agreement("fashion", "v1", rows)], {}, [])[0].endswith(
        ". Beyond the spread over seeds: id."
    )
    single = [replace(row, seeds=1, between_seeds=None) for row in rows]
    assert agreement_notes([Agreement("fashion", "v1", single)], {}, [])[0].endswith(
        "mean over 1 seed: LS 31.4, id 801. One seed does not tell the spread over seeds."
    )


def test_equal_answers_are_one_line_too():
    rows = [AnswerChanges(name, 10_000, 5, 0.0, (700, 910)) for name in ("LS", "id")]
    assert agreement_notes([Agreement("fashion", "v1", rows)], {}, []) == [
        "Answers: equal for all 10,000 images of fashion, in 2 rows and 5 seeds."
    ]


def test_relative_timings_and_other_machines_are_told():
    rows = [AnswerChanges("LS", 20, 1, 3.0, None)]
    notes = agreement_notes(
        [Agreement("fashion", "v1", rows)],
        {"latency_ratio": [1.2, 0.95]},
        [("AMD", "Intel"), ("torch 1", "torch 2")],
    )
    assert notes[1] == "latency / control: B is 0.950 to 1.200 times A in 2 rows."
    assert notes[2].startswith(
        "Measured with A: AMD, torch 1; B: Intel, torch 2. Equal answers are expected "
    )


def test_json_has_the_counts_of_other_answers():
    agreement = Agreement("fashion", "v1", [AnswerChanges("LS", 20, 2, 3.0, (1, 2))])
    (found,) = json.loads(beside_json(ROWS, NAMES, [agreement]))["answers"]
    assert (found["title"], found["changed"], found["is_beyond_seeds"]) == ("LS", 3.0, True)
