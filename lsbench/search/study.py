"""The interface between the two halves of a search: the driver's, and the one that uses Ray Tune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lsbench.core.job import Job
from lsbench.scheduler.protocol import Executor
from lsbench.search.book import TrialBook
from lsbench.suite.space import Search
from lsbench.suite.trials import Settings


class RayLike(Executor, Protocol):
    """An executor on Ray, with the nodes that do not see the results."""

    blind_nodes: list[str]

    @property
    def token(self) -> str:
        """Identifies the run's fork servers."""


@dataclass(frozen=True)
class Study:
    """The search of one variant.

    Attributes:
        template: The variant's job at the suite's settings.
        book: The account of all trials, which receives their progress.
        num_cpus: CPUs of a trial.
        num_gpus: GPUs of a trial.
        token: Identifies the run's fork servers.
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
    """The half of a search that uses Ray Tune."""

    def draw(self, search: Search) -> list[Settings]:
        """Return the settings of all trials; an empty list if they depend on earlier results."""

    def run(self, study: Study) -> None:
        """Run the remaining trials of one variant."""
