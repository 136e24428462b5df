import os
import socket
import subprocess
import sys
import textwrap
import threading

import psutil
import pytest

from lsbench.core.errors import MeasurementError
from lsbench.core.forking import FOLDER, SOCKET, close_files, read_request, send_line
from lsbench.timing.launch import run_apart
from lsbench.timing.request import TimedModel


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Let a fork server answer with some events, if any, and return the requests that it gets."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen()
    requests, threads = [], []

    def answer(events):
        connection, _ = listener.accept()
        with connection:
            request, files = read_request(connection)
            requests.append(request)
            os.write(files[0], b"on stdout")
            close_files(files)
            for event in events:
                send_line(connection, event)

    def start(*events):
        threads.append(threading.Thread(target=answer, args=(events,)))
        threads[-1].start()
        return requests

    yield start
    for thread in threads:
        thread.join()
    listener.close()


ENDED = {"ev": "exit", "code": 0}


def test_a_request_goes_there_and_a_reply_comes_back(small_request, serve, capfd, monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    setting = small_request.setting.model_copy(update={"threads": 3})
    request = small_request.model_copy(update={"batch_size": 7, "setting": setting})
    asked = serve({"ev": "reply", "seconds": [7.0]}, ENDED)
    assert run_apart(request).seconds == [7.0]
    assert asked[0]["action"] == "timing"
    assert asked[0]["request"] == request.model_dump(mode="json")
    assert (asked[0]["env"]["OMP_NUM_THREADS"], asked[0]["env"]["NVIDIA_TF32_OVERRIDE"]) == ("3", "0")
    assert capfd.readouterr().out == "on stdout"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([{"ev": "exit", "code": -9}], "was killed by SIGKILL without a reply, at 2 images of 32 px"),
        ([{"ev": "exit", "code": 3}], "ended with status 3 without a reply"),
        ([ENDED], "ended with status 0 without a reply"),
        ([], "ended as the node's fork server did without a reply"),
    ],
)
def test_a_process_that_dies_is_one_line(events, expected, small_request, serve):
    serve(*events)
    with pytest.raises(MeasurementError, match=f"lsnet_nano: the process that timed it {expected}"):
        run_apart(small_request)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ("RuntimeError", MeasurementError, "lsnet_nano: RuntimeError: too bad"),
        ("oom", MemoryError, "too bad"),
    ],
)
def test_what_the_model_raised_is_raised_here(error, kind, message, small_request, serve):
    serve({"ev": "reply", "error": error, "message": "too bad"}, ENDED)
    with pytest.raises(kind, match=message):
        run_apart(small_request)


#: A process that comes from no fork server: it times twice, and ends without ado.
ALONE = """
import os, sys
from lsbench.core.errors import MeasurementError
from lsbench.timing import launch
from lsbench.timing.request import Request

request = Request.model_validate_json(sys.stdin.readline())
for _ in range(2):
    try:
        launch.run_apart(request)
    except MeasurementError as error:
        print(error)
[folder] = launch._started
print(folder, flush=True)
os._exit(0)
"""


def test_without_a_server_one_is_started_that_ends_with_this_process(small_request):
    request = small_request.model_copy(update={"subject": TimedModel(model="no_such_model")})
    env = {name: value for name, value in os.environ.items() if name != FOLDER}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ALONE)],
        input=request.model_dump_json(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=env,
    )
    *errors, folder = done.stdout.splitlines()
    assert len(errors) == 2
    assert all("no_such_model" in error for error in errors)
    for process in psutil.process_iter():
        try:
            if folder in process.cmdline():
                process.wait(timeout=30)
        except psutil.NoSuchProcess:
            continue
    assert not os.path.exists(folder)
