"""Write the comparisons with the baseline as text: the same words in every format."""

from __future__ import annotations

from lsbench.rendering.sentences import base, comparison_notes, p_text, sentence
from lsbench.tables.summary import Summary

HEADER = ("in words", "p (Holm)", "over")


def comparison_table(summary: Summary) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Return header, rows and notes of the section on differences to the baseline.

    Returns:
        None for a smoke test, under overrides, and where no variant can be compared.
    """
    if summary.is_smoke or "+" in summary.preset or not summary.comparisons:
        return None
    rows = [[sentence(one), p_text(one.p_adjusted), base(one)] for one in summary.comparisons]
    return list(HEADER), rows, comparison_notes(summary.comparisons)
