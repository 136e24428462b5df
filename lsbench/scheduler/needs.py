"""Which jobs wait for which others, so that the end of a job tells at once what may start."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from lsbench.core.job import Job


class Needs:
    """The needs of waiting jobs that are not done yet."""

    def __init__(self, jobs: Iterable[Job], done: Collection[str]) -> None:
        """Take the jobs that wait, and the ids of those that are done."""
        self._left: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        for job in jobs:
            name = str(job.id)
            self._left[name] = {str(need) for need in job.needs.values()}.difference(done)
            for need in self._left[name]:
                self._dependents.setdefault(need, []).append(name)

    def ready(self) -> Iterator[str]:
        """Yield the jobs that need no job that is not done."""
        return (name for name, left in self._left.items() if not left)

    def met(self, done: str) -> Iterator[str]:
        """Yield the jobs that need no other any more, now that one more is done."""
        for name in self._dependents.pop(done, ()):
            self._left[name].discard(done)
            if not self._left[name]:
                yield name
