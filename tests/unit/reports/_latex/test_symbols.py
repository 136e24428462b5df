import re

from lsbench.reports._latex.symbols import ACCENTS, MATHEMATICS, SIGNS


def test_every_sign_is_one_letter_and_every_command_is_ascii():
    for sign, command in [*SIGNS.items(), *MATHEMATICS.items()]:
        assert len(sign) == 1
        assert command.isascii()
    assert all(len(mark) == 1 and len(command) == 1 for mark, (command, _) in ACCENTS.items())


def test_commands_of_text_end_where_the_next_letter_begins():
    open_ended = [one for one in SIGNS.values() if re.search(r"\\[A-Za-z]+$", one)]
    assert open_ended == []
