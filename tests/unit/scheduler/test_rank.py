import io
import json
import sys

import pytest

from lsbench.core.errors import DataError
from lsbench.core.waits import announce
from lsbench.scheduler import rank
from lsbench.scheduler.rank import PrefixedStream, describe_in_world, run_rank


def test_every_line_says_which_rank_speaks():
    stream = io.StringIO()
    prefixed = PrefixedStream(stream, "[rank 1] ")
    assert prefixed.write("one\ntw") == 6
    prefixed.write("o\n")
    prefixed.write("three\nfour\n")
    prefixed.flush()
    assert stream.getvalue() == "[rank 1] one\n[rank 1] two\n[rank 1] three\n[rank 1] four\n"
    assert prefixed.writable()


@pytest.fixture
def job_that(monkeypatch):
    """Let the rank's job do something else."""
    return lambda act: monkeypatch.setattr(rank, "execute", lambda folder, emit: act(emit))


@pytest.mark.parametrize(("number", "told"), [(0, [{"ev": "epoch"}]), (1, [])])
def test_only_the_first_rank_tells_how_far_it_is(number, told, job_that, tmp_path):
    events = []
    job_that(lambda emit: emit({"ev": "epoch"}))
    assert run_rank(tmp_path, number, events.append) == 0
    assert events == told


@pytest.mark.parametrize("code", [0, 3, None, "enough"])
def test_a_rank_that_leaves_by_sys_exit_has_failed(code, job_that, tmp_path):
    events = []
    job_that(lambda emit: sys.exit(code))
    assert run_rank(tmp_path, 0, events.append) == 1
    assert events == [
        {"ev": "error", "error_class": "SystemExit", "message": f"its code called sys.exit({code!r})"}
    ]


def test_any_rank_tells_its_error(job_that, tmp_path, capsys):
    def fail(emit):
        raise DataError("unreadable: x.jpg")

    events = []
    job_that(fail)
    assert run_rank(tmp_path, 1, events.append) == 1
    assert json.loads(json.dumps(events)) == [
        {"ev": "error", "error_class": "DataError", "message": "unreadable: x.jpg"}
    ]
    assert "Traceback" in capsys.readouterr().err


def test_the_loss_of_another_rank_is_told_from_the_jobs_own_errors():
    lost = RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4")
    assert describe_in_world(lost)["error_class"] == "worker_lost"
    assert describe_in_world(RuntimeError("bad shape"))["error_class"] == "RuntimeError"


@pytest.mark.parametrize(("number", "told"), [(0, [{"ev": "wait", "what": "writing images"}]), (1, [])])
def test_waits_of_the_first_rank_are_told(number, told, job_that, tmp_path):
    events = []
    job_that(lambda emit: announce("writing images"))
    assert run_rank(tmp_path, number, events.append) == 0
    assert events == told
