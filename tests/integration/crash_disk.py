"""What a crash may leave on a disk: watch real work on a folder, and write it as it was at any instant.

The work runs once. Before each of its operations on files (open, write and sync, rename, remove, folder made
or removed), these states are kept, each different one once:

- killed: all that was done so far, without what the process had not handed to the system yet;
- lost: only what was synced, both the content of files and the names in folders;
- a name before its content: all names, but of each file only what was synced;
- one folder: as lost, but the names of one folder have reached the disk;
- torn: of the content that was not synced, a part, or as many zeros.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Name -> content of a file, or None for a folder.
Tree = dict[str, bytes | None]
#: Events of the interpreter -> the places of the path and of the folder's descriptor among their arguments.
EVENTS = {
    "open": ((0, None),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.truncate": ((0, None),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
}


@dataclass(frozen=True)
class Crash:
    """What a crash has left.

    Attributes:
        operation: Number and name of the operation that did not happen any more.
        how: Which state it is.
        tree: The files and folders.
        before: What the watcher was told to remember, at that instant.
    """

    operation: str
    how: str
    tree: Tree
    before: Any

    def write(self, target: Path) -> Path:
        """Write what is left into a new folder, and return that."""
        target.mkdir(parents=True)
        for name, content in sorted(self.tree.items()):
            if content is None:
                (target / name).mkdir(exist_ok=True)
            else:
                (target / name).write_bytes(content)
        return target


@dataclass
class Disk:
    """Watches the folder `root`, and gathers the crashes of all work done meanwhile.

    Attributes:
        root: The folder; what is in it at the beginning is synced.
        remember: Returns what has been promised so far; called at each operation.
        keeps: Names of folders in `root` that stand for object stores: they lose nothing that has arrived.
    """

    root: Path
    remember: Callable[[], Any] = lambda: None
    keeps: tuple[str, ...] = ()
    crashes: list[Crash] = field(default_factory=list)
    operations: int = 0
    _seen: set[str] = field(default_factory=set)
    #: Number of a file or folder -> what of it is synced; an open descriptor keeps the number its own.
    _content: dict[int, bytes] = field(default_factory=dict)
    _names: dict[int, dict[str, int]] = field(default_factory=dict)
    _held: dict[int, int] = field(default_factory=dict)
    _is_folder: dict[int, bool] = field(default_factory=dict)
    _turn: threading.RLock = field(default_factory=threading.RLock)
    #: Content at the operation before, whose torn states are kept already.
    _before: dict[int, bytes] = field(default_factory=dict)
    _is_busy: bool = False
    _owner: int = 0

    @contextmanager
    def watching(self) -> Iterator[Disk]:
        """Watch during the block."""
        for number, (content, names) in self._scan().items():
            self._content[number], self._names[number] = content, names
        before, os.fsync = os.fsync, self._fsync(os.fsync)
        _install()
        _watchers.append(self)
        try:
            yield self
            self._crash("the end")
        finally:
            _watchers.remove(self)
            os.fsync = before
            for descriptor in self._held.values():
                os.close(descriptor)

    def take(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an event of the interpreter."""
        if self._is_busy and self._owner == threading.get_ident():
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            return
        places = EVENTS[event]
        if any(self._is_inside(arguments[path], folder and arguments[folder]) for path, folder in places):
            self._crash(event)

    def _is_inside(self, path: Any, folder: int | None) -> bool:
        try:
            text = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fsdecode(path)
            if folder is not None and folder >= 0:
                text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        except (OSError, TypeError):
            return False
        return Path(text).is_relative_to(self.root)

    def _fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(descriptor: Any) -> None:
            number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            if not self._is_inside(number, None):
                real(number)
                return
            with self._turn:
                self._crash("fsync")
                real(number)
                found = self._scan().get(os.fstat(number).st_ino)
                if found is not None:
                    self._content[os.fstat(number).st_ino], self._names[os.fstat(number).st_ino] = found

        return fsync

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        with self._turn:
            before, self._is_busy, self._owner = self._is_busy, True, threading.get_ident()
            try:
                yield
            finally:
                self._is_busy = before

    def _scan(self) -> dict[int, tuple[bytes, dict[str, int]]]:
        """Return the content of all files and folders by their numbers."""
        found: dict[int, tuple[bytes, dict[str, int]]] = {}
        with self._unwatched():
            todo = [self.root]
            while todo:
                path = todo.pop()
                state = os.lstat(path)
                is_folder = stat.S_ISDIR(state.st_mode)
                self._is_folder[state.st_ino] = is_folder
                if state.st_ino not in self._held:
                    self._held[state.st_ino] = os.open(path, os.O_RDONLY)
                if is_folder:
                    inner = {entry.name: entry.inode() for entry in os.scandir(path)}
                    found[state.st_ino] = b"", inner
                    todo += [path / name for name in inner]
                else:
                    found[state.st_ino] = path.read_bytes(), {}
        return found

    def _crash(self, operation: str) -> None:
        """Keep what a crash may leave before an operation."""
        with self._unwatched():
            self.operations += 1
            now, remembered = self._scan(), self.remember()
            for number in self._kept(now):
                self._content[number], self._names[number] = now[number]
            place = f"{self.operations} {operation}"
            for how, tree in self._states(now):
                text = hashlib.sha256(repr((sorted(tree.items()), remembered)).encode()).hexdigest()
                if text not in self._seen:
                    self._seen.add(text)
                    self.crashes.append(Crash(place, how, tree, remembered))
            self._before = {number: content for number, (content, _) in now.items()}

    def _states(self, now: dict[int, tuple[bytes, dict[str, int]]]) -> Iterator[tuple[str, Tree]]:
        content = {number: one for number, (one, _) in now.items()}
        names = {number: inner for number, (_, inner) in now.items() if self._is_folder[number]}
        yield "killed", self._tree(names, content)
        yield "lost", self._tree(self._names, self._content)
        yield "a name before its content", self._tree(names, self._content)
        for number, inner in names.items():
            mixed = {**self._names, number: inner}
            if self._names.get(number) != inner and self._has_whole_renames(mixed, names):
                yield "one folder", self._tree(mixed, self._content)
        for number, whole in content.items():
            synced = self._content.get(number, b"")
            if self._is_folder[number] or whole in (synced, self._before.get(number)):
                continue
            start = common_length(synced, whole)
            for cut in {start, start + 1, (start + len(whole)) // 2, len(whole) - 1}:
                yield "torn", self._tree(names, {**self._content, number: whole[:cut]})
            zeros = whole[:start] + bytes(len(whole) - start)
            yield "zeros", self._tree(names, {**self._content, number: zeros})

    def _has_whole_renames(self, mixed: dict[int, dict[str, int]], now: dict[int, dict[str, int]]) -> bool:
        """Return whether nothing is nowhere, or twice: a move from one folder to another is there or not."""
        always = self._reached(self._names).keys() & self._reached(now).keys()
        found = self._reached(mixed)
        return all(found[number] == 1 for number in always)

    def _kept(self, now: dict[int, tuple[bytes, dict[str, int]]]) -> set[int]:
        """Return the numbers of all that is in folders that lose nothing, and of these."""
        top = now[os.stat(self.root).st_ino][1]
        found, todo = set[int](), [top[name] for name in self.keeps if name in top]
        while todo:
            number = todo.pop()
            found.add(number)
            todo += now[number][1].values() if number in now else ()
        return found & now.keys()

    def _reached(self, names: dict[int, dict[str, int]]) -> Counter[int]:
        """Return how often each file or folder is reached from the root."""
        found: Counter[int] = Counter()
        todo = [os.stat(self.root).st_ino]
        while todo:
            inner = names.get(todo.pop(), {}).values()
            found.update(inner)
            todo += inner
        return found

    def _tree(self, names: dict[int, dict[str, int]], content: dict[int, bytes]) -> Tree:
        tree: Tree = {}
        todo = [("", os.stat(self.root).st_ino)]
        while todo:
            place, number = todo.pop()
            for name, inner in names.get(number, {}).items():
                path = f"{place}/{name}".lstrip("/")
                if self._is_folder[inner]:
                    tree[path] = None
                    todo.append((path, inner))
                else:
                    tree[path] = content.get(inner, b"")
        return tree


_watchers: list[Disk] = []
_installed: list[bool] = []


def common_length(first: bytes, second: bytes) -> int:
    """Return how many bytes at the start are the same."""
    pairs = zip(first, second, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _install() -> None:
    """Have the interpreter tell of operations, for good; it costs nothing while nobody watches."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_tell)


def _tell(event: str, arguments: tuple[Any, ...]) -> None:
    if _watchers and event in EVENTS:
        for watcher in _watchers:
            watcher.take(event, arguments)
