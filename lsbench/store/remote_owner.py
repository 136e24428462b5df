"""The lock of results at an address: an object that its owner renews, and that expires when it does not.

Times are compared by the clock of the address alone.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from datetime import UTC, datetime

from lsbench.core.errors import StoreError
from lsbench.core.waits import announce
from lsbench.store.remote_files import RemoteFiles

OWNER = ".owner.json"
#: Seconds after which an owner that has not renewed its lock counts as dead, and between two renewals.
EXPIRES_S, RENEW_S = 120.0, 20.0


class RemoteOwner:
    """The lock of one folder at an address, held by this process or another one."""

    def __init__(self, remote: RemoteFiles, folder: str, copy: str) -> None:
        """Refer to a lock; nothing is asked or written.

        Args:
            remote: The files at the address.
            folder: The folder there.
            copy: Identifies the local copy of it. Whoever takes the lock holds the lock of the local copy
                too, so an earlier owner with the same copy is dead.
        """
        self._remote, self._folder, self._copy = remote, folder, copy
        self._name = f"{folder}/{OWNER}"
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        self._token = secrets.token_hex(8)

    def take(self) -> None:
        """Take the lock; that of a dead owner is taken over, with a line that says so.

        Raises:
            StoreError: If another process holds it, which the message names, or it cannot be written.
        """
        for _ in range(2):
            if self._remote.write(self._name, self._content(), is_new=True):
                break
            self._remove_of_dead()
        if not self.is_mine():
            self._refuse()

    def _remove_of_dead(self) -> None:
        """Remove the lock of a dead owner.

        Raises:
            StoreError: If the owner is alive.
        """
        found = self._read()
        if found is None:
            return
        silent_s = self._silent_s()
        if found.get("copy") != self._copy:
            if silent_s < EXPIRES_S:
                self._refuse(silent_s)
            announce(f"taking over results from {_named(found)}, silent for {silent_s:.0f} s")
        self._remote.remove(self._name)

    def _refuse(self, silent_s: float = 0.0) -> None:
        found = self._read() or {}
        raise StoreError(
            f"results {self._remote.url}/{self._folder} are in use by {_named(found)}, which said so "
            f"{silent_s:.0f} s ago; wait for it or stop it first (its lock expires {EXPIRES_S:.0f} s after "
            "its last sign of life)"
        )

    def _silent_s(self) -> float:
        """Return the seconds since the owner's last sign of life, by the clock of the address."""
        clock = f"{self._folder}/.clock-{self._token}"
        self._remote.write(clock, b"")
        now, then = self._remote.look(clock), self._remote.look(self._name)
        self._remote.remove(clock)
        return max(0.0, now.changed_at - then.changed_at) if now and then else 0.0

    def renew(self) -> bool:
        """Give a sign of life; return False if another process has taken over.

        Raises:
            StoreError: If the address cannot be reached.
        """
        if not self.is_mine():
            return False
        self._remote.write(self._name, self._content())
        return True

    def is_mine(self) -> bool:
        """Return whether this process holds the lock.

        Raises:
            StoreError: If the address cannot be reached.
        """
        return (self._read() or {}).get("token") == self._token

    def release(self) -> None:
        """Give the lock back, if this process holds it.

        Raises:
            StoreError: If the address cannot be reached.
        """
        if self.is_mine():
            self._remote.remove(self._name)

    def _content(self) -> bytes:
        owner = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": self._since,
            "renewed": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return json.dumps({**owner, "copy": self._copy, "token": self._token}).encode()

    def _read(self) -> dict[str, object] | None:
        """Return the owner, empty if the lock is damaged; None if there is no lock."""
        content = self._remote.read(self._name)
        if content is None:
            return None
        try:
            found = json.loads(content)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _named(owner: dict[str, object]) -> str:
    if "pid" not in owner or "host" not in owner:
        return "another process"
    return f"process {owner['pid']} on {owner['host']} (since {owner.get('since', 'unknown')})"
