"""What surrounds a Ray, without one."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from lsbench.core.errors import ClusterError
from lsbench.scheduler import local_ray


def test_a_local_ray_gets_its_flags_and_a_token_of_its_own(monkeypatch):
    for name in (*local_ray.FLAGS, "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    local_ray.set_environment(is_local=False)
    assert not set(local_ray.FLAGS) & set(os.environ), "on a cluster the user's settings are honoured"
    local_ray.set_environment(is_local=True)
    assert local_ray.FLAGS.items() <= os.environ.items()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    for name in (*local_ray.FLAGS, "RAY_AUTH_TOKEN", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("rocr", "hip", "found"), [("4,6", None, "0,1"), ("4,6", "1", "1"), (None, None, None), ("", None, None)]
)
def test_devices_that_a_queue_system_shows_by_amds_other_variable_are_given_to_ray(
    monkeypatch, rocr, hip, found
):
    values = {"ROCR_VISIBLE_DEVICES": rocr, "HIP_VISIBLE_DEVICES": hip}
    for name in (*local_ray.FLAGS, "RAY_AUTH_TOKEN", "RAY_AUTH_MODE", *values):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in values.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    local_ray.set_environment(is_local=True)
    assert os.environ.get("HIP_VISIBLE_DEVICES") == found
    for name in (*local_ray.FLAGS, "RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("address", [None, "auto", "local"])
def test_an_address_without_a_port_is_left_to_ray(address):
    local_ray.check_reachable(address)


def test_a_port_where_nobody_listens_is_refused():
    with pytest.raises(ClusterError, match="no Ray cluster answers there"):
        local_ray.check_reachable("ray://127.0.0.1:1")


def test_processes_that_do_not_leave_are_killed(monkeypatch):
    monkeypatch.setattr(local_ray, "LEAVE_S", 0.05)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process.pid in {child.pid for child in local_ray.ray_children()}
    child = psutil.Process(process.pid)
    local_ray.end_processes([child])
    assert not child.is_running()


@pytest.mark.parametrize(
    ("words", "is_asked"),
    [
        (["ray::DashboardAgent   "], True),
        (["ray::RuntimeEnvAgent"], True),
        (["python", "/site-packages/ray/dashboard/agent.py", "--node-ip-address=127.0.0.1"], True),
        (["python", "/site-packages/ray/_private/runtime_env/agent/main.py", "--port=1"], True),
        (["python", "/ray/_private/workers/default_worker.py", "--runtime-env-agent-port=5"], False),
        (["python", "/site-packages/ray/dashboard/dashboard.py"], False),
        (["ray::IDLE"], False),
        (["ray::run_job"], False),
    ],
)
def test_the_end_of_a_ray_asks_its_node_and_the_agents_that_the_node_lives_with(words, is_asked):
    with subprocess.Popen(
        [words[0], "-c", "print(flush=True); input()", *words[1:]],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline(), "it has its command line by now"
        child = psutil.Process(process.pid)
        assert local_ray.not_asked_at_the_end([child]) == ([] if is_asked else [child])
        process.kill()
    assert local_ray.not_asked_at_the_end([child]) == [], "it is gone"


def test_only_the_folders_of_this_process_are_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    ours, other = (tmp_path / "ray" / f"session_x_{pid}" for pid in (os.getpid(), 1))
    for folder in (ours, other):
        folder.mkdir(parents=True)
    local_ray.remove_session_folders()
    assert (ours.exists(), other.exists()) == (False, True)


def test_the_last_ray_of_a_machine_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    folder = tmp_path / "ray" / f"session_x_{os.getpid()}"
    folder.mkdir(parents=True)
    (tmp_path / "ray" / "session_latest").symlink_to(folder)
    local_ray.remove_session_folders()
    assert list(tmp_path.iterdir()) == []
    local_ray.remove_session_folders()


def test_a_start_that_hangs_is_explained(monkeypatch, caplog):
    monkeypatch.setattr(local_ray, "START_S", 0.0)
    with local_ray.start_watchdog():
        while not caplog.records:
            pass
    assert "loopback" in caplog.text


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_too_long_for_sockets_is_told_with_the_cure(monkeypatch, tmp_path, name):
    for other in ("TMPDIR", "RAY_TMPDIR"):
        monkeypatch.delenv(other, raising=False)
    assert local_ray.folder_problem() is None
    monkeypatch.setenv(name, "/tmp/" + 34 * "x")
    assert local_ray.folder_problem() is None
    monkeypatch.setenv(name, "/tmp/" + 35 * "x")
    assert local_ray.folder_problem().startswith(f"{name}=/tmp/xxx")
    assert "room for 39; set RAY_TMPDIR" in local_ray.folder_problem()
    monkeypatch.setenv(name, "/tmp/" + 30 * "ü")
    assert "has 65 letters" in local_ray.folder_problem()


def test_a_folder_that_cannot_be_written_is_told(monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", "/dev/null/below")
    assert "cannot be written" in local_ray.folder_problem()


def mark(root, pid, token="0123abcd"):
    """Leave behind what a run of a process leaves that is killed."""
    (root / "ray" / f"session_2026_{pid}").mkdir(parents=True)
    (root / f"lsbench-{os.getuid()}-{pid}.ray").write_text(token)


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_the_folders_of_killed_runs_are_removed_at_the_next_start(monkeypatch, tmp_path, dead):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    mark(tmp_path, dead)
    (tmp_path / "ray" / f"session_of_another_{dead}0").mkdir()
    tokens = []
    local_ray.remove_dead_sessions(tokens.append)
    assert tokens == ["0123abcd"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["ray", f"session_of_another_{dead}0"]


def test_the_folders_of_runs_that_live_or_are_about_to_end_stay(monkeypatch, tmp_path, dead):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    local_ray.mark_session("0123abcd")
    mark(tmp_path, dead)
    code = f"input('{tmp_path}/ray/session_2026_{dead}/logs')"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        local_ray.remove_dead_sessions(lambda token: pytest.fail("nothing is to be removed"))
        user.kill()
    local_ray.remove_session_folders()
    assert {path.name for path in tmp_path.iterdir()} == {"ray", f"lsbench-{os.getuid()}-{dead}.ray"}


def test_a_session_of_a_process_without_a_mark_is_not_ours(monkeypatch, tmp_path, dead):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray" / f"session_x_{dead}").mkdir(parents=True)
    local_ray.remove_dead_sessions(lambda token: pytest.fail("nothing is to be removed"))
    assert (tmp_path / "ray" / f"session_x_{dead}").exists()


def test_a_ray_without_its_head_or_node_is_noticed(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        child = psutil.Process(process.pid)
        assert local_ray.vital_processes([child]) == []
        monkeypatch.setattr(local_ray, "VITAL", (child.name(),))
        assert local_ray.vital_processes([child]) == [child]
        assert local_ray.are_alive([child])
        child.kill()
        while local_ray.are_alive([child]):
            pass
    assert not local_ray.are_alive([child])
    assert local_ray.are_alive([])


#: Is interrupted as often as told while it works and cleans up, and says how far it came.
INTERRUPTED = """
import os, signal, sys
from lsbench.core.waits import told_to
from lsbench.scheduler.local_ray import Interrupts

def ctrl_c():
    os.kill(os.getpid(), signal.SIGTERM if "term" in sys.argv else signal.SIGINT)

interrupts = Interrupts(lambda: print("killed", flush=True))
interrupts.take()
with told_to(lambda what: print(what.split(";")[0])):
    try:
        ctrl_c()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    for _ in range(int(sys.argv[1])):
        ctrl_c()
interrupts.leave()
ctrl_c()
print("cleaned up")
"""


@pytest.mark.parametrize("word", ["int", "term"])
def test_a_second_ctrl_c_does_not_disturb_the_end(word):
    command = [sys.executable, "-c", INTERRUPTED, "0", word]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == ["interrupted", "cleaned up"]
    assert done.returncode == 0


def test_a_third_ctrl_c_kills_what_was_started_and_ends_at_once():
    command = [sys.executable, "-c", INTERRUPTED, "2", "int"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stdout.split("\n")[0] == "interrupted"
    assert done.stdout.endswith("killed\n")


def test_an_interrupt_that_came_from_no_user_is_forgotten():
    interrupts = local_ray.Interrupts(lambda: None)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupts._heard()
        interrupts.forget()


def test_without_an_interrupt_the_signals_are_left_as_they_were():
    interrupts = local_ray.Interrupts(lambda: None)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupts.take()
    assert signal.getsignal(signal.SIGINT) != before[0]
    interrupts.leave()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
