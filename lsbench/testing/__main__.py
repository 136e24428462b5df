"""Run the contract tests on plug-ins: ``python -m lsbench.testing --mixer acme_mixer``."""

from __future__ import annotations

import sys

import pytest

from lsbench.testing import options

if __name__ == "__main__":
    sys.exit(pytest.main(["--pyargs", "lsbench.testing", *sys.argv[1:]], plugins=[options]))
