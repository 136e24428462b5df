import pytest

from lsbench.suite.loader import folder_name, shipped_suites


@pytest.mark.parametrize("suite", shipped_suites())
def test_shipped_suites_are_valid(suite, call):
    code, out, _ = call("validate", suite)
    assert code == 0
    assert out.splitlines()[0].startswith(f"{folder_name(suite)} (default): ok: ")


def test_every_problem_of_a_suite_is_a_line(call, tiny, write_suite):
    tiny["sedes"] = [1]
    tiny["variants"][0]["mixer"] = "ls_conf"
    path = write_suite(tiny)
    code, _, err = call("validate", path)
    assert code == 2
    assert [line.startswith(f"lsbench: {path}:") for line in err.splitlines()] == [True, True]
