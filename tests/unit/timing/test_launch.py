import json
import os
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from lsbench.core.errors import MeasurementError
from lsbench.timing.launch import run_apart


def script(text):
    return (sys.executable, "-c", textwrap.dedent(text))


ECHO = script("""
    import json, os, sys
    request = json.loads(sys.stdin.readline())
    threads = os.environ["OMP_NUM_THREADS"]
    reply = {"seconds": [float(request["batch_size"])], "conditions": {"threads": threads}}
    open(sys.argv[1], "w").write(json.dumps(reply))
""")


def test_a_request_goes_there_and_a_reply_comes_back(small_request):
    setting = small_request.setting.model_copy(update={"threads": 3})
    request = small_request.model_copy(update={"batch_size": 7, "setting": setting})
    reply = run_apart(request, command=ECHO)
    assert (reply.seconds, reply.conditions) == ([7.0], {"threads": "3"})


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL without a reply, at 2 images of 32 px"),
        ("raise SystemExit(3)", "ended with status 3 without a reply"),
        ("pass", "ended with status 0 without a reply"),
    ],
)
def test_a_process_that_dies_is_one_line(end, expected, small_request):
    with pytest.raises(MeasurementError, match=f"lsnet_nano: the process that timed it {expected}"):
        run_apart(small_request, command=script(end))


def replying(**reply):
    return script(f"import sys; open(sys.argv[1], 'w').write({json.dumps(reply)!r})")


def test_what_the_model_raised_is_raised_here(small_request):
    with pytest.raises(MeasurementError, match="lsnet_nano: RuntimeError: too bad"):
        run_apart(small_request, command=replying(error="RuntimeError", message="too bad"))
    with pytest.raises(MemoryError, match="full"):
        run_apart(small_request, command=replying(error="oom", message="full"))


def test_the_process_dies_with_the_one_that_started_it(small_request, tmp_path):
    mark = tmp_path / "pid"
    waiting = f"""
        import os, sys, time
        from lsbench.core.lifeline import die_with_parent
        die_with_parent()
        sys.stdin.buffer.readline()
        open({str(mark)!r}, "w").write(str(os.getpid()))
        time.sleep(600)
    """
    starter = f"""
        import sys
        from lsbench.timing.launch import run_apart
        from lsbench.timing.request import Request
        request = Request.model_validate_json({small_request.model_dump_json()!r})
        run_apart(request, command=(sys.executable, "-c", {textwrap.dedent(waiting)!r}))
    """
    process = subprocess.Popen(script(starter))
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        os.sched_yield()
    child = psutil.Process(int(mark.read_text()))
    process.kill()
    process.wait()
    child.wait(timeout=30)
