"""A local copy of results that lie at an address such as ``s3://bucket/path``.

Everything works on the copy. It is brought up to date when a verb begins, and what has changed in it is sent
when the verb ends, and by a run all the while. Weights and checkpoints are brought only when they are needed.
Results of jobs and journals are sent last, so that they never name what is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from lsbench.core.atomic import write_json
from lsbench.core.cache_root import cache_root
from lsbench.core.lock import is_held, locked
from lsbench.core.plain_warnings import warn
from lsbench.core.waits import announced_if_long
from lsbench.store.remote_files import RemoteFile, RemoteFiles
from lsbench.store.results import JOBS, LOCK, MANIFEST, RECORDS, RESULT
from lsbench.store.room import Room, class_of, files_below, is_cache

#: Beside the copy, for each folder of one preset: what was known of its files when they were last the same.
INDEX = "known.json"
#: Files that travel at a time.
AT_A_TIME = 16
#: Folders between the address and the files of one preset.
DEPTH = 2

#: Bytes, time and number on the disk of a local file.
Signature = tuple[int, int, int]
Wanted = Callable[[str], bool]


class Mirror:
    """The copy of one address."""

    def __init__(self, url: str) -> None:
        """Refer to a copy in the cache folder; nothing is brought.

        Raises:
            ConfigError: If the protocol is unknown or its driver is not installed.
            DataError: If there is no folder for a cache.
        """
        self.remote = RemoteFiles(url)
        name = hashlib.sha256(self.remote.url.encode()).hexdigest()[:16]
        # An address may be that of one preset, whose folders are named after it and its suite.
        parts = [part for part in self.remote.url.partition("://")[2].split("/") if part.strip(".")]
        base = cache_root() / "results" / name
        self.root = base.joinpath("files", *parts[-DEPTH:])
        self._lock_file, self._indexes = base / LOCK, base / "indexes"
        self.root.mkdir(parents=True, exist_ok=True)
        #: Folder of a preset -> name of a file -> its version there, and its signature here.
        self._known: dict[str, dict[str, tuple[str, Signature]]] = {}
        self._there: dict[str, RemoteFile] = {}
        self._turn = threading.RLock()

    def name_of(self, path: Path) -> str:
        """Return the name at the address of a file or folder of the copy."""
        return path.relative_to(self.root).as_posix()

    def is_there(self, name: str) -> bool:
        """Return whether the address held a file when it was last asked."""
        return name in self._there

    def places(self) -> set[str]:
        """Return the folders of which each has an index of its own."""
        return self._places_here("") | {place_of(name) for name, _ in self._files_here("")}

    def pull(self, below: str = "", *, wants: Wanted | None = None) -> None:
        """Bring what has changed there, and remove what is gone; what only the copy has stays.

        A preset that a run of this machine is writing is left alone: its copy is ahead.

        Args:
            below: Only the files in this folder.
            wants: Chooses files by name; by default all but weights, checkpoints and caches.

        Raises:
            DiskFullError: If there is no room.
            StoreError: If the address cannot be read.
        """
        wants = wants or _is_light
        with (
            announced_if_long(f"bringing results from {self.remote.url}"),
            locked(self._lock_file, what=f"the copy of {self.remote.url}", wait_s=float("inf")),
            self._turn,
        ):
            there = {name: one for name, one in self.remote.found(below).items() if is_shared(name)}
            kept = {name: one for name, one in self._there.items() if not _is_below(name, below)}
            self._there = kept | there
            places = {place_of(name) for name in there} | self._places_here(below)
            for place in sorted(places):
                if below or not is_held(self.root / place / LOCK):
                    self._pull_place(place, below, there, wants)

    def _pull_place(self, place: str, below: str, there: dict[str, RemoteFile], wants: Wanted) -> None:
        known = self._known[place] = self._read_index(place)
        names = [name for name in there if place_of(name) == place]
        manifest = f"{place}/{MANIFEST}"
        if not names and manifest in known and _is_below(manifest, below):
            warn(f"{self.remote.url}: nothing of {place} is left there; its copy in {self.root} is kept")
            known.clear()  # as what only the copy has
            self._write_index(place)
            return
        wanted = [name for name in names if wants(name) and self._is_stale(name, there[name], known)]
        self._get(wanted)
        for name in [name for name in known if _is_below(name, below) and name not in there]:
            if self._signature(name) == known[name][1]:
                (self.root / name).unlink(missing_ok=True)
            del known[name]
        for name in [name for name in known if self._signature(name) is None]:
            del known[name]  # removed from the copy alone: that says nothing about the address
        self._write_index(place)

    def _is_stale(self, name: str, there: RemoteFile, known: dict[str, tuple[str, Signature]]) -> bool:
        """Return whether a file must be brought; what was changed here after it was sent is ahead."""
        here = self._signature(name)
        if here is None:
            return True
        version, signature = known.get(name, ("", None))
        if version == there.version:
            return False
        return here == signature or here[1] / 1e9 <= there.changed_at

    def _get(self, names: Iterable[str]) -> None:
        def get(name: str) -> str | None:
            return name if self.remote.get(name, self.root / name) else None

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for name in filter(None, pool.map(get, names)):
                signature = self._signature(name)
                if signature is not None:
                    self._known[place_of(name)][name] = self._there[name].version, signature

    def bring(self, path: Path) -> None:
        """Bring one file that was left out, if it is at the address and not here.

        Raises:
            StoreError: If the address cannot be read.
        """
        name = self.name_of(path)
        if name in self._there and not path.exists():
            with self._turn, announced_if_long(f"bringing {name} from {self.remote.url}"):
                self._known.setdefault(place_of(name), self._read_index(place_of(name)))
                self._get([name])
                self._write_index(place_of(name))

    def push(self, below: str = "", *, wants: Wanted = lambda name: True) -> int:
        """Send what has changed here, and remove there what was removed here; return the number of files.

        Args:
            below: Only the files in this folder.
            wants: Chooses files by name.

        Raises:
            StoreError: If the address cannot be written; what has not been sent is sent the next time.
        """
        with self._turn:
            changed, gone = self._changes(below, wants)
            try:
                for stage in range(len(STAGES) + 1):
                    self._put({name: one for name, one in changed.items() if stage_of(name) == stage})
                self._remove(gone)
            finally:
                for place in {place_of(name) for name in (*changed, *gone)}:
                    self._write_index(place)
            return len(changed) + len(gone)

    def has_changed(self, below: str) -> bool:
        """Return whether a folder holds something that has not been sent."""
        with self._turn:
            return any(self._changes(below, lambda name: True))

    def _changes(self, below: str, wants: Wanted) -> tuple[dict[str, Signature], list[str]]:
        """Return the files that have changed here, and those that are gone."""
        here = {name: signature for name, signature in self._files_here(below) if wants(name)}
        for place in {place_of(name) for name in here} | self._places_here(below):
            if place not in self._known:
                self._known[place] = self._read_index(place)
        known = {name: one for files in self._known.values() for name, (_, one) in files.items()}
        changed = {name: signature for name, signature in here.items() if known.get(name) != signature}
        asked = [name for name in known if name not in here and _is_below(name, below) and wants(name)]
        return changed, [name for name in asked if self._signature(name) is None]

    def _put(self, signatures: dict[str, Signature]) -> None:
        def put(name: str) -> tuple[str, RemoteFile | None]:
            return name, self.remote.put(self.root / name, name)

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for name, sent in pool.map(put, signatures):
                if sent is not None:
                    self._there[name] = sent
                    self._known[place_of(name)][name] = sent.version, signatures[name]

    def _remove(self, names: Iterable[str]) -> None:
        def remove(name: str) -> str:
            self.remote.remove(name)
            return name

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for name in pool.map(remove, names):
                self._there.pop(name, None)
                self._known[place_of(name)].pop(name, None)

    def _files_here(self, below: str) -> Iterator[tuple[str, Signature]]:
        for entry in files_below(self.root / below):
            name = self.name_of(Path(entry.path))
            if is_shared(name) and (signature := self._signature(name)) is not None:
                yield name, signature

    def _places_here(self, below: str) -> set[str]:
        """Return the folders with an index that files below a folder may belong to."""
        if below:
            return {place_of(f"{below}/-")}
        globs = ("*/" * depth + INDEX for depth in range(DEPTH + 1))
        found = (path.parent for glob in globs for path in self._indexes.glob(glob))
        names = (path.relative_to(self._indexes).as_posix() for path in found)
        return {"" if name == "." else name for name in names}

    def _signature(self, name: str) -> Signature | None:
        try:
            state = os.stat(self.root / name)
        except OSError:
            return None
        return state.st_size, state.st_mtime_ns, state.st_ino

    def _read_index(self, place: str) -> dict[str, tuple[str, Signature]]:
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = json.loads((self._indexes / place / INDEX).read_text(encoding="utf-8"))
            return {name: (str(version), _to_signature(known)) for name, (version, known) in found.items()}
        return {}  # everything is compared by time, as if it were new

    def _write_index(self, place: str) -> None:
        write_json(self._indexes / place / INDEX, self._known[place])


def _to_signature(values: Any) -> Signature:
    size, time, number = map(int, values)
    return size, time, number


#: What is sent after everything else, in this order: results imply a job's files, journals its results.
STAGES = ((RESULT,), (RECORDS, JOBS, MANIFEST))


def stage_of(name: str) -> int:
    """Return the stage in which a file is sent, from 0.

    >>> [stage_of(name) for name in ("a/jobs/b/spec.json", "a/jobs/b/result.json", "a/jobs.jsonl")]
    [0, 1, 2]
    """
    last = PurePosixPath(name).name
    return next((number for number, names in enumerate(STAGES, 1) if last in names), 0)


def place_of(name: str) -> str:
    """Return the folder whose index tells of a file.

    >>> place_of("tiny/default/jobs/train-1/spec.json"), place_of("manifest.json")
    ('tiny/default', '')
    """
    return "/".join(PurePosixPath(name).parts[:-1][:DEPTH])


def is_shared(name: str) -> bool:
    """Return whether a file is kept at the address: no lock, mark or cache."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") for part in parts) and not is_cache(parts[-1])


def _is_light(name: str) -> bool:
    return class_of(Path(name)) is Room.REST


def _is_below(name: str, folder: str) -> bool:
    return not folder or name.startswith(f"{folder}/")
