import warnings

import pytest

from lsbench.core.plain_warnings import LsbenchWarning, shown_plainly, warn


def test_in_python_it_is_a_warning_that_names_the_caller():
    with pytest.warns(LsbenchWarning, match="odd") as found:
        warn("odd")
    assert found[0].filename == __file__


def test_on_the_command_line_it_is_one_plain_line_told_once(capsys):
    with shown_plainly():
        for _ in range(3):
            warn("a file: odd,\nvery odd")
        warn("another")
    assert capsys.readouterr().err == "lsbench: warning: a file: odd, very odd\nlsbench: warning: another\n"


def test_other_warnings_are_shown_as_usual_and_afterwards_all_is_as_before():
    before = warnings.showwarning
    with pytest.warns(DeprecationWarning, match="theirs"), shown_plainly():
        warnings.warn("theirs", DeprecationWarning, stacklevel=1)
    assert warnings.showwarning is before
