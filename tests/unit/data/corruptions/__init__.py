"""Tests that mirror lsbench.data.corruptions; a package, so that file names may repeat elsewhere."""
