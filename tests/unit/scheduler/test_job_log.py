import pytest

from lsbench.scheduler import job_log
from lsbench.scheduler.job_log import LogLimit


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.txt"


@pytest.fixture
def small(monkeypatch):
    """A log may have 100 bytes, of which 20 and 30 stay; it may be checked at any time."""
    for name, value in {"MOST_BYTES": 100, "START_BYTES": 20, "END_BYTES": 30, "CHECK_S": 0.0}.items():
        monkeypatch.setattr(job_log, name, value)


def test_a_log_that_grows_too_large_keeps_start_and_end_and_says_so(small, path):
    limit = LogLimit(path)
    limit.check()  # there is none yet
    with path.open("ab", buffering=0) as writer:
        writer.write(b"s" * 20 + b"x" * 80)
        limit.check()
        assert path.stat().st_size == 100
        writer.write(b"x" * 50 + b"e" * 30)
        limit.check()
        middle = b"\n[lsbench: lines are missing here, as the log had grown beyond 0 MiB]\n"
        assert path.read_bytes() == b"s" * 20 + middle + b"e" * 30
        writer.write(b"next")
        assert path.read_bytes().endswith(b"e" * 30 + b"next")


def test_a_job_without_a_log_has_no_limit(small):
    LogLimit(None).check()


def test_a_log_is_not_looked_at_all_the_time(monkeypatch, small, path):
    monkeypatch.setattr(job_log, "CHECK_S", 3600.0)
    path.write_bytes(b"x" * 200)
    LogLimit(path).check()
    assert path.stat().st_size == 200
