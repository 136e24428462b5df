import pytest

from lsbench.core.globs import matches, suggest_glob


@pytest.mark.parametrize(
    ("name", "glob", "is_match"),
    [
        ("ls_conv", "ls_conv", True),
        ("ls_conv", "ls_*", True),
        ("ls_conv", "*", True),
        ("ls_conv", "LS_CONV", False),
        ("LS_conv", "ls_*", False),
        ("A", "[aA]", True),
        ("w/o [LKP]", "w/o [LKP]", True),
    ],
)
def test_a_name_matches_as_written(name, glob, is_match):
    assert matches(name, glob) is is_match


def test_a_name_that_differs_in_case_is_suggested_first():
    assert suggest_glob("a", ["b", "A"]) == " (did you mean 'A'?)"
    assert suggest_glob("ls_con", ["ls_conv"]) == " (did you mean 'ls_conv'?)"
    assert suggest_glob("zzz", ["ls_conv"]) == ""
