import pytest
from pydantic import ValidationError

from lsbench.suite.loader import load_suite
from lsbench.suite.schema import Overlay, SuiteFile


def test_an_overlay_can_change_everything_but_what_a_suite_is(tiny):
    fixed = {"version", "name", "presets"}
    assert set(Overlay.model_fields) - {"without"} == set(SuiteFile.model_fields) - fixed


def test_the_smallest_suite(tiny):
    suite = SuiteFile(version=1, name="a", variants=[{"model": "m"}], jobs=["train"])
    assert (suite.seeds, suite.baseline, suite.presets) == ([0], None, {})


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 61])
def test_a_suite_name_is_fit_for_a_path(name):
    with pytest.raises(ValidationError, match="name"):
        SuiteFile(version=1, name=name, variants=[{}], jobs=["train"])


def test_a_smoke_suite_says_so(tiny, write_suite):
    assert not load_suite(write_suite(tiny)).is_smoke
    assert load_suite(write_suite({**tiny, "tags": ["smoke"]})).is_smoke
