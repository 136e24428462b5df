import pytest

from lsbench.core import errors
from lsbench.core.errors import ConfigError, ExitCode, LsbenchError

DOCUMENTED = {
    "OK": 0,
    "REGRESSION": 1,
    "USAGE": 2,
    "JOBS_FAILED": 3,
    "INCONCLUSIVE": 4,
    "NOTHING_MEASURED": 5,
    "CRASHED": 70,
    "INTERRUPTED": 130,
}
TREE = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, LsbenchError)]


def test_exit_codes_are_the_documented_ones():
    assert {code.name: code.value for code in ExitCode} == DOCUMENTED


@pytest.mark.parametrize("error", TREE)
def test_every_error_of_the_tree_ends_with_an_exit_code_that_is_not_ok(error):
    assert error("why").exit_code in set(ExitCode) - {ExitCode.OK}
    assert str(error("why")) == "why"


def test_a_configuration_error_keeps_its_problems_apart():
    error = ConfigError(text for text in ("a: one", "b: two"))
    assert error.problems == ["a: one", "b: two"]
    assert str(error) == "a: one\nb: two"
    assert ConfigError("only").problems == ["only"]
