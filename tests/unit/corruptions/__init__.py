"""Tests that mirror lsbench.corruptions; a package, so that file names may repeat elsewhere."""
