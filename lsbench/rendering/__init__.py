"""Cells, sentences, text tables and sparklines that reports, gate, comparisons and the live page share."""
