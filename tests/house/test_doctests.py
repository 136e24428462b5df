"""Every example in a docstring is run."""

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "lsbench"


def module_name(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


WITH_EXAMPLES = [
    module_name(path) for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_give_what_they_say(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def test_there_are_examples():
    assert len(WITH_EXAMPLES) >= 5
