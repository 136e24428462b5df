"""The live page in a real browser: it follows the files, and a lost server is told."""

import json
import threading

import pytest

from lsbench.core.atomic import append_line
from lsbench.core.lock import locked
from lsbench.live.server import LiveServer
from lsbench.live.snapshot import Snapshots
from lsbench.store.durations import Remaining, write_time_left

pytestmark = pytest.mark.desktop


@pytest.fixture
def server(folder):
    with LiveServer(Snapshots(lambda: [folder]), 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_it_follows_the_results(server, folder, look, axe, is_dark):
    seen = look(server.url, is_dark=is_dark, is_wide=not is_dark)
    page = seen.page
    page.wait_for_selector("text=jobs done")
    assert page.locator(".state").inner_text() == "failed jobs"
    assert axe(page) == []
    lines = [json.loads(line) for line in (folder.root / "jobs.jsonl").read_text().splitlines()]
    done = next(line for line in lines if line["label"] == "ls_conv/profile")
    append_line(folder.root / "jobs.jsonl", [{**done, "status": "failed", "error": "<b>too late</b>"}])
    page.wait_for_selector("text=<b>too late</b>", timeout=20_000)
    with (
        locked(folder.job_folder(done["job_id"]) / ".lock", what="a job"),
        locked(folder.lock_file, what="it"),
    ):
        page.wait_for_selector("li:has-text('ls_conv/profile') >> text=for", timeout=20_000)
        write_time_left(folder, Remaining(4400.0))
        page.wait_for_selector("text=Time left: about 1 h 13 min", timeout=20_000)
        write_time_left(folder, Remaining(None, ("train",)))
        page.wait_for_selector("text=Time left: unknown until the first train job has run", timeout=20_000)
        assert page.locator(".state").inner_text() == "running"
        assert axe(page) == []
    assert seen.is_quiet, (seen.complaints, seen.requests)


def test_the_full_report_is_one_click_away(server, look):
    seen = look(server.url)
    seen.page.get_by_role("link", name="full report so far").click()
    seen.page.wait_for_selector("h1:has-text('lsbench report')")
    seen.page.wait_for_selector("section.table output:has-text('5 rows')")
    assert seen.is_quiet, (seen.complaints, seen.requests)


def test_a_server_that_has_ended_is_told(folder, look):
    with LiveServer(Snapshots(lambda: [folder]), 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        page = look(running.url).page
        page.wait_for_selector("text=jobs done")
        running.shutdown()
        thread.join()
    page.wait_for_selector("text=is the server still running?", timeout=20_000)
    assert page.locator("text=jobs done").is_visible(), "what was seen last stays"
