"""Contract of every report format: it shows each row, each number and each hole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lsbench.core.registry import REPORTS
from lsbench.tables.summary import Summary
from lsbench.testing.samples import create_summary

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b`c*d_e",
    "\"quoted\", 'both'",
    "[click](http://x)",
    "ü\n\nnew\rline",
]
TOP1 = {"ls": 0.125, "id": 0.5, "bad": None}
Render = Callable[[Sequence[Summary]], str]


@pytest.fixture
def as_text(name: str) -> Callable[[Any], str]:
    """Return a function that reads a report as text: bytes by their ASCII letters."""
    return lambda made: made if isinstance(made, str) else made.decode("ascii", "ignore")


@pytest.fixture
def render(name: str, as_text: Callable[[Any], str]) -> Render:
    """Return a function that renders summaries as searchable text."""
    made = REPORTS.load(name)
    return lambda found: as_text(made(found))


def test_it_gives_text_or_bytes(name: str, tmp_path: Path) -> None:
    made = REPORTS.load(name)([create_summary(tmp_path, TOP1)])
    assert isinstance(made, str | bytes)
    assert made


def test_it_renders_holes_as_holes(render: Render, tmp_path: Path) -> None:
    text = render([create_summary(tmp_path, TOP1)])
    assert text.endswith("\n")
    assert "failed" in text
    assert "waiting" in text
    for name in ("ls", "id", "bad", "gone", "sample"):
        assert name in text
    assert "nan" not in text.lower().replace("nano", "")


def test_it_renders_none_and_several(render: Render, tmp_path: Path) -> None:
    summary = create_summary(tmp_path, TOP1)
    assert "gone" not in render([])
    assert render([summary, summary]).count("gone") >= 2 * render([summary]).count("gone") > 0


def test_it_renders_the_same_text_twice(render: Render, tmp_path: Path) -> None:
    summary = create_summary(tmp_path, TOP1)
    assert render([summary]) == render([summary])


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_name_hides_no_other_row_and_no_number(render: Render, label: str, tmp_path: Path) -> None:
    plain = render([create_summary(tmp_path / "plain", TOP1)])
    text = render([create_summary(tmp_path / "hostile", TOP1, label=label)])
    for word in ("id", "5"):
        assert text.count(word) >= plain.count(word) > 0
