import http.client
import json
import socket
import threading

import pytest

from lsbench.core.atomic import append_line
from lsbench.core.errors import UsageError
from lsbench.live import server as live
from lsbench.live.server import HOST, LiveServer, serve
from lsbench.live.snapshot import Snapshots


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    return fill_store(make_graph(tiny))


@pytest.fixture
def server(folder):
    with LiveServer(Snapshots(lambda: [folder]), 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    def send(path, method="GET", **headers):
        connection = http.client.HTTPConnection(HOST, server.server_port, timeout=30)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer, body

    return send


def test_the_page_runs_its_own_script_alone(ask):
    answer, body = ask("/")
    assert answer.status == 200
    assert "<h1>lsbench status</h1>" in body
    policy = answer.getheader("Content-Security-Policy")
    assert "script-src 'sha256-" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


def test_the_state_is_json_with_a_tag_that_saves_sending_it_again(ask, folder):
    answer, body = ask("/status.json")
    assert json.loads(body)["suites"][0]["counts"]["train"] == {"ok": 4}
    tag = answer.getheader("ETag")
    again, nothing = ask("/status.json", **{"If-None-Match": tag})
    assert (again.status, nothing) == (304, "")
    line = json.loads((folder.root / "jobs.jsonl").read_text().splitlines()[0])
    append_line(folder.root / "jobs.jsonl", [{**line, "status": "failed", "error": "<b>late</b>"}])
    changed, body = ask("/status.json", **{"If-None-Match": tag})
    assert changed.status == 200
    assert json.loads(body)["suites"][0]["errors"] == [[line["label"], "<b>late</b>"]]


def test_the_whole_report_is_there_and_made_once(ask, server, monkeypatch):
    made = []
    monkeypatch.setattr("lsbench.reports.html.render", lambda found: made.append(found) or "<p>report</p>")
    assert [ask("/report.html")[1] for _ in range(2)] == ["<p>report</p>"] * 2
    assert len(made) == 1


def test_it_reads_and_never_writes(ask):
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer, _ = ask("/status.json", method)
        assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")
    assert ask("/", "BREW")[0].status == 501
    answer, body = ask("/status.json", "HEAD")
    assert (answer.status, body) == (200, "")
    assert int(answer.getheader("Content-Length")) > 100


def test_another_name_for_this_machine_is_refused(ask, server):
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", "127.0.0.1:1"):
        answer, body = ask("/status.json", Host=host)
        assert (answer.status, "suites" in body) == (403, False)
    assert ask("/status.json", Host=f"localhost:{server.server_port}")[0].status == 200


def test_paths_name_pages_and_no_files(ask):
    for path in ("/manifest.json", "/../manifest.json", "/%2e%2e/pyproject.toml", "/status.json/"):
        answer, body = ask(path)
        assert answer.status == 404
        assert body.startswith("there are: /, ")


def test_it_is_bound_to_this_machine_alone(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(UsageError, match=r"^--port \d+: is in use; choose another, or 0 ") as error:
            LiveServer(Snapshots(list), taken.getsockname()[1])
    assert "\n" not in str(error.value)


def test_ctrl_c_ends_it_quietly(monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(live.LiveServer, "serve_forever", interrupted)
    said = []
    serve(Snapshots(list), 0, said.append)
    assert said[0].startswith("http://127.0.0.1:")
    assert said[-1] == "ended"
