import pytest

from lsbench.core.errors import InconclusiveError, UsageError
from lsbench.gate.baseline import create_baseline
from lsbench.gate.judge import judge
from lsbench.gate.notes import check_complete, describe, mark_stale


def test_what_other_code_has_measured_says_nothing_of_this_one(rules, make_images):
    rows = [make_images(), make_images(variant="old", code="before")]
    found = judge(rows, rows, [rules["top1"]])
    marked = mark_stale(found, rows, "c0")
    assert [str(finding.verdict) for finding in marked] == ["ok", "inconclusive"]
    assert marked[1].reason.startswith("measured with different code than the current one")


def test_rows_that_are_no_baseline(rules, make_images, make_row):
    asked = [rules["top1"]]
    check_complete([make_images()], asked, code="c0", kept="kept")
    check_complete([make_images()], asked, code=None, kept="kept")
    with pytest.raises(InconclusiveError, match=r"ls top1: measured with different code.*; kept"):
        check_complete([make_images()], asked, code="c1", kept="kept")
    with pytest.raises(InconclusiveError, match="ls top1: too noisy; kept"):
        check_complete([make_row("top1", [None], reason="too noisy")], asked, code="c0", kept="kept")
    with pytest.raises(UsageError, match="no job of the suite measures 'top1'; kept"):
        check_complete([], asked, code="c0", kept="kept")


def test_notes_name_commits_other_rules_and_missing_jobs(rules, make_images):
    asked = (rules["top1"],)
    baseline = create_baseline("nightly", "default", "0.1", asked, [make_images()])
    [note] = describe(baseline, [make_images(commit="def")], asked, [], retry="again")
    assert "(lsbench 0.1, commit abc), now commit def." in note
    notes = describe(baseline, [], (rules["loss"],), [f"job{n}" for n in range(7)], retry="again")
    assert "The rules have changed" in notes[1]
    assert notes[2] == "7 jobs failed, due, running or waiting: job0, job1, job2, job3, job4, ...."
    assert "now commit unknown" in notes[0]
