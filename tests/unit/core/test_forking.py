"""The connection to a fork server; servers themselves are tried in scheduler/test_supervisor.py."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from lsbench.core import forking


def test_lines_reach_the_other_side_and_a_closed_one_is_no_error() -> None:
    left, right = socket.socketpair()
    forking.send_line(left, {"ev": "step", "loss": 1.5})
    assert json.loads(right.recv(100)) == {"ev": "step", "loss": 1.5}
    right.close()
    forking.send_line(left, {"ev": "step"})
    left.close()


def test_a_request_of_any_length_comes_with_its_open_files(tmp_path: Path) -> None:
    left, right = socket.socketpair()
    asked = {"action": "timing", "text": "x" * 10**5}
    with (tmp_path / "out.txt").open("wb") as file, left, right:
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10**6)
        forking.send_request(left, asked, (file.fileno(), file.fileno()))
        request, files = forking.read_request(right)
    assert request == asked
    assert len(files) == 2
    os.write(files[0], b"first ")
    os.write(files[1], b"second")
    forking.close_files(files)
    assert (tmp_path / "out.txt").read_text() == "first second"


def test_half_a_request_is_refused_and_its_files_are_closed() -> None:
    left, right = socket.socketpair()
    read, write = os.pipe()
    socket.send_fds(left, [b'{"action": "job"'], [write])
    left.close()
    os.close(write)
    with pytest.raises(ValueError, match="before the request was complete"), right:
        forking.read_request(right)
    assert os.read(read, 1) == b""  # nobody else has the other end
    os.close(read)


def test_events_are_read_to_the_last_whole_line() -> None:
    left, right = socket.socketpair()
    left.sendall(b'{"ev": "a"}\n{"ev"')
    left.sendall(b': "b"}\n{"ev": "c')
    left.close()
    with right:
        assert [event["ev"] for event in forking.read_events(right)] == ["a", "b"]


def test_a_process_knows_the_server_that_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(forking.FOLDER, raising=False)
    assert forking.own_server() is None
    monkeypatch.setenv(forking.FOLDER, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert forking.own_server() is None, "the server has ended"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(forking.SOCKET)
        listener.listen()
        found = forking.own_server()
        assert found is not None
        found.close()


def test_a_request_that_is_answered_before_the_sender_looks_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a server that ends at once: its answer is still there to be read."""
    ours, theirs = socket.socketpair()
    send_fds = socket.send_fds

    def answered(connection: socket.socket, content: list[bytes], files: list[int]) -> int:
        sent = send_fds(connection, content, files)
        request, came = forking.read_request(theirs)
        forking.close_files(came)
        forking.send_line(theirs, {"ev": "reply", "asked": request["action"]})
        theirs.close()
        return sent

    monkeypatch.setattr(socket, "send_fds", answered)
    with ours:
        forking.send_request(ours, {"action": "timing"}, [])
        assert list(forking.read_events(ours)) == [{"ev": "reply", "asked": "timing"}]
