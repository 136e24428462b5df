"""What surrounds a Ray, without one."""

import os
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
