"""Tests that mirror lsbench.runtimes; a package, so that file names may repeat elsewhere."""
