import os
import resource

import pytest

from lsbench.core.log_tail import TAIL_BYTES, tail


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.txt"


def test_the_last_lines_of_a_log(path):
    assert tail(path) == ""
    path.write_bytes(b"")
    assert tail(path) == ""
    path.write_bytes(b"one\ntwo\nb\xfcgel\n")
    assert tail(path, lines=2) == "two\nb\ufffdgel"
    assert tail(path, lines=1) == "b\ufffdgel"
    assert tail(path, lines=9) == "one\ntwo\nb\ufffdgel"


def test_only_the_end_of_a_large_log_is_read(path):
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert tail(path, lines=1) == "last"
    assert len(tail(path, lines=40)) <= TAIL_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16
