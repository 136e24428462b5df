"""What the two halves of a search tell each other: the driver's, and the one that knows Ray Tune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lsbench.core.job import Job
from lsbench.scheduler.protocol import Executor
from lsbench.search.book import TrialBook
from lsbench.suite.space import Search
from lsbench.suite.trials import Settings


class RayLike(Executor, Protocol):
    """An executor that has a Ray, with the token of its fork servers."""

    token: str


@dataclass(frozen=True)
class Study:
    """What the search of one variant is given.

    Attributes:
        template: The variant's job at the suite's settings.
        book: Knows every trial and is told what becomes of it.
        num_cpus: CPUs of a trial.
        num_gpus: GPUs of a trial.
        token: Names the run's fork servers.
    """

    template: Job
    search: Search
    book: TrialBook
    num_cpus: int
    num_gpus: float
    token: str
    max_parallel: int | None = None
    fail_fast: bool = False

    @property
    def variant(self) -> str:
        """The variant's name."""
        return self.template.variant.name


class Searcher(Protocol):
    """The half of a search that knows Ray Tune."""

    def draw(self, search: Search) -> list[Settings]:
        """Return the settings of all trials; an empty list if each follows from the results before."""

    def run(self, study: Study) -> None:
        """Run the trials of one variant that are left."""
