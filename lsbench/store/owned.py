"""Results wherever they lie: opened by a folder or an address, and owned by the one that writes them."""

from __future__ import annotations

import _thread
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.lock import is_held, locked
from lsbench.core.next_command import show_as
from lsbench.core.plain_warnings import warn
from lsbench.core.waits import announced_if_long
from lsbench.store.mirror import Mirror
from lsbench.store.reference import PREFIX
from lsbench.store.remote_owner import OWNER, RENEW_S, RemoteOwner
from lsbench.store.results import JOBS, LOCK, RECORDS, RESULT, ResultsFolder
from lsbench.store.room import Room, class_of

#: Seconds between two looks for what a run has changed; at most one part in SHARE of the time goes into it.
EVERY_S = 5.0
SHARE = 10
#: Seconds between two sendings of the journals, which can be rebuilt from the results of jobs.
JOURNALS_S = 60.0
#: Seconds for which the last sending is tried again.
PATIENCE_S, RETRY_S = 60.0, 1.0
COPY = ".copy"
#: Protocol -> why results cannot lie there.
NO_STORES = {
    "memory": "what is written there ends with the process",
    "http": "nothing can be written there",
    "https": "nothing can be written there",
}

#: The copies of addresses that this process has opened.
_mirrors: dict[str, Mirror] = {}


def results_at(place: str | Path) -> Path:
    """Return the folder of results that a user names; of an address, a copy that is brought up to date.

    Args:
        place: A folder, or an address such as ``s3://bucket/path``.

    Raises:
        ConfigError: If the address names no place that keeps what is written, or its driver is not installed,
            or it names reference results.
        StoreError: If it cannot be read.
    """
    if str(place).startswith(PREFIX):
        raise ConfigError(
            f"--results {place}: reference results are only read, and named as a suite is: "
            f"`lsbench report {place}`"
        )
    url = _address(str(place))
    if url is None:
        return Path(place)
    mirror = _mirrors.get(url) or Mirror(url)
    mirror.pull()
    _mirrors[url] = mirror
    show_as(mirror.root, url)
    return mirror.root


def _address(text: str) -> str | None:
    """Return an address without a slash at its end, or None for a folder.

    Raises:
        ConfigError: If it names no place, or one that does not keep what is written.
    """
    protocol, is_address, path = text.partition(":/")
    if not is_address or "/" in protocol or Path(f"{protocol}:").is_dir():
        return None
    advice = "give e.g. s3://bucket/path, or a folder"
    if not protocol or not path.startswith("/") or not path.strip("/"):
        raise ConfigError(f"--results {text}: this is no address of results; {advice}")
    if reason := NO_STORES.get(protocol):
        raise ConfigError(f"--results {text}: {reason}; {advice}")
    return text.rstrip("/")


def send_changes() -> None:
    """Send what this process has changed in copies of addresses, at the end of its work.

    Raises:
        StoreError: If an address cannot be written.
    """
    for url, mirror in list(_mirrors.items()):
        del _mirrors[url]
        for place in sorted(mirror.places()):
            if is_held(mirror.root / place / LOCK) or not mirror.has_changed(place):
                continue
            if mirror.remote.look(f"{place}/{OWNER}") is None:  # else a run is writing there
                mirror.push(place)


def brought(path: Path) -> Path:
    """Return a path in a results folder; a file of a copy is brought first if it was left out."""
    mirror = _mirror_of(path)
    if mirror is not None:
        mirror.bring(path)
    return path


def complete(folder: ResultsFolder) -> None:
    """Bring all files of a results folder that were left out of its copy, unless a run here writes it."""
    mirror = _mirror_of(folder.root)
    if mirror is not None and not is_held(folder.lock_file):
        mirror.pull(mirror.name_of(folder.root), wants=_always)


def _mirror_of(path: Path) -> Mirror | None:
    return next((mirror for mirror in _mirrors.values() if path.is_relative_to(mirror.root)), None)


@contextmanager
def owned(folder: ResultsFolder, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a results folder as its only writer for the length of the block.

    Of a copy, the files that a run may need are brought first, and what changes is sent, to the end.

    Args:
        folder: The folder.
        wait_s: Seconds to wait for another writer on this machine.

    Raises:
        StoreError: If another process writes it, which the message names, or it cannot be written.
    """
    with locked(folder.lock_file, what=f"results folder {folder.root}", wait_s=wait_s):
        mirror = _mirror_of(folder.root)
        if mirror is None:
            yield
            return
        name = mirror.name_of(folder.root)
        owner = RemoteOwner(mirror.remote, name, _copy_id(mirror.root))
        owner.take()
        try:
            mirror.pull(name, wants=lambda one: _is_needed(mirror, one))
            with _sending(mirror, name, owner):
                yield
        finally:
            with suppress(StoreError):
                owner.release()


def _is_needed(mirror: Mirror, name: str) -> bool:
    """Return whether a run may need a file: of finished trainings, it needs no step to go on from."""
    if class_of(Path(name)) is not Room.CHECKPOINTS:
        return True
    before, _, after = name.partition("/jobs/")
    job = after.partition("/")[0]
    return not mirror.is_there(f"{before}/jobs/{job}/{RESULT}")


def _copy_id(root: Path) -> str:
    """Return what tells this copy from those of other machines; the caller holds its lock."""
    path = root / COPY
    if not path.exists():
        path.write_text(secrets.token_hex(8))
    return path.read_text()


@contextmanager
def _sending(mirror: Mirror, name: str, owner: RemoteOwner) -> Iterator[None]:
    """Send, in a thread, what changes during the block, and at its end the rest.

    Raises:
        StoreError: If another process has taken over, or the rest cannot be sent; the copy keeps all.
    """
    sender = _Sender(mirror, name, owner)
    try:
        with sender:
            yield
    finally:
        sender.conclude()


class _Sender:
    """Two threads: one gives signs of life, one sends what has changed."""

    def __init__(self, mirror: Mirror, name: str, owner: RemoteOwner) -> None:
        self._mirror, self._name, self._owner = mirror, name, owner
        self._ended = threading.Event()
        self._is_lost = False
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._keep_alive, self._keep_sending)
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with announced_if_long(f"sending results to {self._mirror.remote.url}"):
            for thread in self._threads:
                thread.join()

    def _keep_alive(self) -> None:
        while not self._ended.wait(RENEW_S):
            with suppress(StoreError):  # the address may be in reach again before the lock expires
                if not self._owner.renew():
                    self._is_lost = True
                    _thread.interrupt_main()
                    return

    def _keep_sending(self) -> None:
        pause, journals_at, is_told = EVERY_S, time.monotonic(), False
        while not self._ended.wait(pause) and not self._is_lost:
            started = time.monotonic()
            is_whole = started - journals_at >= JOURNALS_S
            try:
                self._mirror.push(self._name, wants=_always if is_whole else _is_no_journal)
                journals_at = started if is_whole else journals_at
                is_told = False
            except StoreError as error:
                if not is_told:
                    warn(f"{error}; the run goes on, and sends its results later")
                is_told = True
            pause = max(EVERY_S, SHARE * (time.monotonic() - started))

    def conclude(self) -> None:
        """Send what is left.

        Raises:
            StoreError: If another process has taken over, or the address cannot be written.
        """
        url, kept = f"{self._mirror.remote.url}/{self._name}", self._mirror.root / self._name
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._is_lost = self._is_lost or not self._owner.is_mine()
                if not self._is_lost:
                    with announced_if_long(f"sending results to {url}"):
                        self._mirror.push(self._name)
                break
            except StoreError as error:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{error}; all is kept in {kept}, and the same command sends it"
                    ) from error
                time.sleep(RETRY_S)
        if self._is_lost:
            raise StoreError(
                f"{url}: another run has taken over these results, as this one could not reach them for "
                f"long; what it has not sent is in {kept}"
            )


def _always(name: str) -> bool:
    return True


def _is_no_journal(name: str) -> bool:
    return not name.endswith((f"/{JOBS}", f"/{RECORDS}"))
