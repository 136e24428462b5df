"""Tests that mirror lsbench.data; a package, so that file names may repeat elsewhere."""
