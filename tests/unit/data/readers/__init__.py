"""Tests that mirror lsbench.data.readers; a package, so that file names may repeat elsewhere."""
