"""Whether a stored result still stands: the one place that compares the code of then with the code of now.

A result holds the hash of the code of every plug-in that its job used. It stands as long as these are the
hashes of the code that is installed here. A result without a hash, of an earlier lsbench, stands, and so does
one whose plug-in is not installed here, as there is nothing to compare it with. Code of lsbench itself counts
in a checkout only, and there what :mod:`lsbench.core.same_numbers` declares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lsbench.core.counted import counted
from lsbench.core.errors import PluginError, StoreError
from lsbench.core.plugin_code import LENT, CodeReader, Files, files_hash, is_own, is_own_file
from lsbench.core.same_numbers import Groups, gives_same_numbers, is_checkout, read_groups
from lsbench.store.results import SPEC, ResultsFolder, read_json

#: Plug-in -> its files, each with the hash of its code.
Code = Mapping[str, Files]
#: The status of a job whose result does not stand.
DUE = "due"
#: The status of a job that has not run yet, or has not ended and does not run.
WAITING = "waiting"
#: The status of a job that a process of this machine runs.
RUNNING = "running"
#: In the manifest: id of a job -> the plug-ins that it uses.
PLUGINS = "plugins"


@dataclass(frozen=True)
class CodeChange:
    """A plug-in whose code is not the one that a stored result was made with.

    Attributes:
        plugin: Kind and name.
        files: The files that differ; empty if they are unknown.
        problem: Why its code cannot be read now; empty if it can.
    """

    plugin: str
    files: tuple[str, ...] = ()
    problem: str = ""

    def __str__(self) -> str:
        """Return the change in one line."""
        if self.problem:
            return f"code of {self.plugin} cannot be read: {self.problem}"
        return f"code of {self.plugin} changed{f' ({_listed(self.files)})' if self.files else ''}"


def _listed(files: tuple[str, ...]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def changed_files(then: Files, now: Files) -> tuple[str, ...]:
    """Return the files that differ, or that only one side has.

    >>> changed_files({"acme/a.py": "1", "acme/b.py": "2"}, {"acme/a.py": "1", "acme/b.py": "3"})
    ('acme/b.py',)
    """
    return tuple(sorted(name for name in {*then, *now} if then.get(name) != now.get(name)))


def reason_of(changes: Iterable[CodeChange]) -> str:
    """Return changes in one line; of several plug-ins, the files alone, as many jobs share those.

    >>> reason_of([CodeChange("mixer a", ("acme/ops.py",)), CodeChange("metric b", ("acme/ops.py",))])
    'code changed (acme/ops.py)'
    """
    every = tuple(changes)
    told = [change for change in every if not change.files or len(every) == 1]
    files = {file for change in every for file in change.files if change not in told}
    merged = [f"code changed ({_listed(tuple(sorted(files)))})"] if files else []
    return "; ".join([*merged, *map(str, told)])


def due_notes(reasons: Iterable[str]) -> list[str]:
    """Return a note for each distinct reason why results are left out of a report.

    >>> due_notes(["code of mixer acme changed"])
    ['due: 1 result is left out, as code of mixer acme changed; `lsbench run` measures again.']
    """
    return [
        f"due: {counted(count, 'result is', 'results are')} left out, as {reason}; `lsbench run` "
        "measures again."
        for reason, count in Counter(reasons).items()
    ]


class Standing:
    """Decides which results of a folder stand.

    Attributes:
        folder: The results folder.
        code: Id of a job -> the code of its plug-ins as it is now.
        problems: Plug-in -> why its code cannot be read now.
    """

    def __init__(
        self,
        folder: ResultsFolder,
        code: Mapping[str, Code],
        problems: Mapping[str, str] | None = None,
        lines: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Take the code of now.

        Args:
            folder: The results folder.
            code: Id of a job -> plug-in -> files.
            problems: Plug-in -> why its code cannot be read now.
            lines: The lines of finished jobs, if they have been read already.
        """
        self.folder, self.code, self.problems = folder, code, dict(problems or {})
        self._lines = folder.states() if lines is None and code else lines or {}
        self._hashes: dict[int, str] = {}
        self._hashes_of_code: dict[int, dict[str, str]] = {}

    def changes(self, job_id: str) -> tuple[CodeChange, ...]:
        """Return the plug-ins whose code makes a job's result, or its unfinished work, due; mostly none."""
        line = self._lines.get(job_id, {})
        if line.get("status") == "ok" and not self.changes_since(job_id, line):
            return ()
        # The job's own folder is the truth: the line may be older.
        result = self.folder.result(job_id)
        if result is not None:
            return self.changes_since(job_id, result["job"])
        spec = _spec_code(self.folder, job_id)
        hashes = {plugin: files_hash(files) for plugin, files in spec.items()}
        return self.changes_since(job_id, {"code": hashes})

    def due(self, *, with_unfinished: bool = False) -> dict[str, str]:
        """Return the reason, in one line, of every job whose result does not stand.

        Args:
            with_unfinished: Whether jobs without a result, such as stopped trials, count too.
        """
        found = {}
        for job_id in self.code:
            changes = self.changes(job_id)
            if changes and (with_unfinished or self.folder.is_done(job_id)):
                found[job_id] = reason_of(changes)
        return found

    def changes_since(self, job_id: str, line: Mapping[str, Any]) -> tuple[CodeChange, ...]:
        """Return the plug-ins of a job whose code is not the one that a line of the job names."""
        stored: Mapping[str, str] = line.get("code") or {}
        code = self.code.get(job_id, {})
        if stored == self._hashes_of(code) and not self.problems:
            return ()
        changes = (self._change(job_id, plugin, files, stored.get(plugin)) for plugin, files in code.items())
        broken = (
            CodeChange(plugin, problem=text) for plugin, text in self.problems.items() if plugin in stored
        )
        return (*(change for change in changes if change is not None), *broken)

    def _change(self, job_id: str, plugin: str, files: Files, stored: str | None) -> CodeChange | None:
        if stored == self._hash(files):
            return None
        then = _spec_code(self.folder, job_id).get(plugin, {}) if stored else {}
        if all(map(is_own_file, files)):
            # A file that was never declared is the user's own: without a hash, nothing is known of it.
            declared = {name: code for name, code in files.items() if stored or name in _declared()}
            return _own_change(plugin, declared, then)
        if stored is None:
            return None
        return CodeChange(plugin, changed_files(then, files) if then else ())

    def _hashes_of(self, code: Code) -> dict[str, str]:
        """Return the hashes of all plug-ins of a job; many jobs share them."""
        key = id(code)
        if key not in self._hashes_of_code:
            self._hashes_of_code[key] = {plugin: self._hash(files) for plugin, files in code.items()}
        return self._hashes_of_code[key]

    def _hash(self, files: Files) -> str:
        """Return the hash of files; many jobs share them."""
        key = id(files)
        if key not in self._hashes:
            self._hashes[key] = files_hash(files)
        return self._hashes[key]


def change_between(plugin: str, then: Files, now: Files) -> CodeChange | None:
    """Return the change of a plug-in's code between two known states; None if it changes no numbers."""
    if all(map(is_own_file, now)):
        return _own_change(plugin, now, then)
    return CodeChange(plugin, changed_files(then, now)) if then != now else None


def _own_change(plugin: str, now: Files, then: Files) -> CodeChange | None:
    """Return the change of a plug-in of lsbench itself, which counts in a checkout only."""
    if not is_checkout():
        return None
    groups = _declared()
    names = [name for name, code in now.items() if not gives_same_numbers(groups, name, then.get(name), code)]
    return CodeChange(plugin, tuple(names)) if names else None


@cache
def _declared() -> Groups:
    return read_groups()


def _spec_code(folder: ResultsFolder, job_id: str) -> dict[str, Files]:
    """Return the code that a job was started with, by the files in its folder; empty if unknown."""
    try:
        code = (read_json(folder.job_folder(job_id) / SPEC) or {}).get("code")
    except StoreError:
        return {}
    return code if isinstance(code, dict) else {}


def standing_now(
    folder: ResultsFolder, manifest: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]] | None = None
) -> Standing:
    """Return which results of a folder stand for the code that is installed here.

    Args:
        folder: The results folder.
        manifest: Its manifest, which names the plug-ins of each job.
        lines: The lines of finished jobs, if they have been read already.
    """
    plugins: Mapping[str, list[str]] = manifest.get(PLUGINS) or {}
    reader, problems, known = CodeReader(), {}, {}
    for plugin in sorted({plugin for names in plugins.values() for plugin in names}):
        if is_own(plugin) and not is_checkout():
            continue
        try:
            known.update(reader.code([plugin]))
        except PluginError as error:
            if not plugin.startswith(LENT):  # told of the plug-in itself
                problems[plugin] = str(error)
    reader.close()
    code = {name: {one: known[one] for one in names if one in known} for name, names in plugins.items()}
    return Standing(folder, code, problems, lines)
