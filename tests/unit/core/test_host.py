import errno
import fcntl
import os
import resource
import socket

import pytest

from lsbench.core import env, host


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu__max": "150000 100000\n"}, 1.5),
        ({"cpu__max": "max 100000\n"}, None),
        ({"cpu__cfs_quota_us": "400000\n", "cpu__cfs_period_us": "100000\n"}, 4.0),
        ({"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}, None),
        ({"cpu__max": "what\n"}, None),
        ({}, None),
    ],
)
def test_the_limit_of_a_cgroup_is_read_in_both_versions(tmp_path, files, cpus):
    group(tmp_path, **files)
    assert host.quota_cpus(tmp_path) == cpus


def test_the_smallest_limit_of_all_cgroups_around_counts(tmp_path):
    group(tmp_path, cpu__max="800000 100000")
    group(tmp_path / "cpu", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    assert host.quota_cpus(tmp_path) == 2.0
    assert host.quota_cpus(tmp_path / "nothing") is None


def test_usable_cpus_are_at_most_those_of_the_cgroup_and_at_least_one(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for quota, usable in ((None, 64), (2.5, 2), (0.5, 1), (100.0, 64)):
        monkeypatch.setattr(env, "quota_cpus", lambda quota=quota: quota)
        assert env.usable_cpus() == usable


def test_the_limit_of_open_files_is_a_number_even_without_one(monkeypatch):
    assert host.open_file_limit() > 0
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert host.open_file_limit() == 2**31


def test_ports_are_counted_until_one_is_refused(tmp_path, monkeypatch):
    assert host.free_ports(4) == 4
    (tmp_path / "range").write_text("1000\t2000\n")
    monkeypatch.setattr(host, "PORT_RANGE", tmp_path / "range")
    assert host.port_range() == (1000, 2000)
    monkeypatch.setattr(host, "PORT_RANGE", tmp_path / "nothing")
    assert host.port_range() is None

    class Refusing(socket.socket):
        def bind(self, address):
            raise OSError(errno.EADDRNOTAVAIL, "no loopback")

    monkeypatch.setattr(socket, "socket", Refusing)
    assert host.free_ports(4) == 0


def test_a_file_system_is_tried_and_nothing_is_left(tmp_path, monkeypatch):
    assert host.try_file_system(tmp_path) == ([], [])
    assert list(tmp_path.iterdir()) == []

    def refuse(code):
        def call(*_, **__):
            raise OSError(code, os.strerror(code))

        return call

    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    assert host.try_file_system(tmp_path) == (["no file locks (No locks available)"], [])
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    monkeypatch.setattr("pathlib.Path.chmod", refuse(errno.EPERM))
    assert host.try_file_system(tmp_path) == ([], ["no permissions (chmod)", "no sync of folders"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    [lack], misses = host.try_file_system(tmp_path / "file")
    assert lack.startswith("cannot be written (")
    assert misses == []


def test_folders_that_do_not_exist_have_no_room_and_lie_in_one_that_does(tmp_path):
    assert host.free_bytes(tmp_path) > 0
    assert host.free_bytes(tmp_path / "a") is None
    assert host.innermost_existing(tmp_path / "a" / "b") == tmp_path
