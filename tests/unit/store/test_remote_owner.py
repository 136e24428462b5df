"""The lock of results at an address: one owner at a time, and a dead one is taken over."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import fsspec
import pytest

from lsbench.core.errors import StoreError
from lsbench.core.waits import told_to
from lsbench.store.remote_files import RemoteFiles
from lsbench.store.remote_owner import EXPIRES_S, OWNER, RemoteOwner


@pytest.fixture
def remote() -> RemoteFiles:
    return RemoteFiles(f"memory://{uuid.uuid4().hex}")


def owner(remote: RemoteFiles, copy: str) -> RemoteOwner:
    return RemoteOwner(remote, "tiny/default", copy)


def let_pass(remote: RemoteFiles, seconds: float) -> None:
    """Let time pass at the address since the owner's last sign of life."""
    place = f"{remote.url.removeprefix('memory:/')}/tiny/default/{OWNER}"
    file = fsspec.filesystem("memory").store[place]
    file.created -= timedelta(seconds=seconds)
    file.modified -= timedelta(seconds=seconds)


def content(remote: RemoteFiles) -> dict[str, Any]:
    return json.loads(remote.read(f"tiny/default/{OWNER}") or b"{}")


def test_the_lock_names_its_owner_and_is_given_back(remote):
    first = owner(remote, "a")
    first.take()
    assert content(remote)["pid"] == os.getpid()
    assert datetime.fromisoformat(content(remote)["renewed"]) <= datetime.now(UTC)
    assert first.is_mine()
    assert first.renew()
    first.release()
    first.release()
    assert content(remote) == {}


def test_a_second_driver_is_told_who_owns_it(remote):
    owner(remote, "a").take()
    let_pass(remote, EXPIRES_S - 5)
    second = owner(remote, "b")
    with pytest.raises(StoreError) as raised:
        second.take()
    assert f"tiny/default are in use by process {os.getpid()} on " in str(raised.value)
    assert f"which said so {EXPIRES_S - 5:.0f} s ago" in str(raised.value)
    second.release()
    assert content(remote)["copy"] == "a", "nobody gives back the lock of another one"


def test_a_dead_owner_is_taken_over_with_a_line_that_says_so(remote):
    dead, heard = owner(remote, "a"), []
    dead.take()
    let_pass(remote, EXPIRES_S + 1)
    second = owner(remote, "b")
    with told_to(heard.append):
        second.take()
    assert len(heard) == 1
    assert "taking over results from process" in heard[0]
    assert heard[0].endswith(f"silent for {EXPIRES_S + 1:.0f} s")
    assert second.is_mine()
    assert not dead.renew(), "it was only out of reach, and learns that it has lost the results"
    assert content(remote)["copy"] == "b"


def test_an_owner_with_the_same_copy_is_dead_for_certain(remote):
    owner(remote, "a").take()
    again, heard = owner(remote, "a"), []
    with told_to(heard.append):
        again.take()
    assert again.is_mine()
    assert heard == []


def test_a_sign_of_life_keeps_the_lock(remote):
    first = owner(remote, "a")
    first.take()
    let_pass(remote, EXPIRES_S + 1)
    assert first.renew()
    with pytest.raises(StoreError, match="in use by"):
        owner(remote, "b").take()


def test_of_two_that_begin_at_once_one_is_refused(remote, monkeypatch):
    first, second = owner(remote, "a"), owner(remote, "b")
    write, is_begun = remote.write, []

    def race(name: str, words: bytes, *, is_new: bool = False) -> bool:
        if is_new and not is_begun:
            is_begun.append(True)
            second.take()
        return write(name, words, is_new=is_new)

    monkeypatch.setattr(remote, "write", race)
    with pytest.raises(StoreError, match="in use by"):
        first.take()
    assert second.is_mine()


def test_a_driver_that_cannot_create_exclusively_is_caught_by_reading_back(remote, monkeypatch):
    first, second = owner(remote, "a"), owner(remote, "b")
    write = remote.write

    def overwrite(name: str, words: bytes, *, is_new: bool = False) -> bool:
        return write(name, words)

    monkeypatch.setattr(remote, "write", overwrite)
    first.take()
    second.take()
    assert not first.is_mine()
    assert not first.renew()


@pytest.mark.parametrize("words", [b"", b"[]", b"{}", b"not JSON", b'{"pid": 3}'])
def test_a_damaged_lock_is_one_of_another_process_until_it_expires(remote, words):
    remote.write(f"tiny/default/{OWNER}", words)
    with pytest.raises(StoreError, match="in use by another process"):
        owner(remote, "a").take()
    let_pass(remote, EXPIRES_S + 1)
    second = owner(remote, "a")
    second.take()
    assert second.is_mine()
