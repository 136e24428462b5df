"""The evaluations of a results folder with their answers to each image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lsbench.store.answers import Answers, read_answers
from lsbench.store.results import ResultsFolder

KIND = "evaluate"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one variant and seed, under one protocol.

    Attributes:
        variant: Name of the variant.
        title: Title of the variant in reports.
        seed: Seed of the training; None if it has none.
        job_id: The job.
        job: Name of the job within its variant.
        dataset: Data set of the images.
        protocol: Protocol of its numbers.
        is_first: False if the answers are among all classes, after those among the classes of the test set.
        answers: The answers to each image.
    """

    variant: str
    title: str
    seed: int | None
    job_id: str
    job: str
    dataset: str
    protocol: str
    is_first: bool
    answers: Answers

    @property
    def way(self) -> tuple[str, str]:
        """Data set and protocol: evaluations that are equal in both may be compared."""
        return self.dataset, self.protocol


def read_evaluations(
    folder: ResultsFolder, table: pd.DataFrame, variants: Iterable[str] | None = None
) -> Iterator[Evaluation]:
    """Yield the evaluations of a results folder that keep answers, in the order of its manifest.

    Args:
        folder: The results folder.
        table: Its long table.
        variants: Only these; default: all.

    Raises:
        StoreError: If a file is damaged.
    """
    rows = table[(table.kind == KIND).fillna(False) & table.metric.notna() & table.job_id.notna()]
    if variants is not None:
        rows = rows[rows.variant.isin([*variants])]
    for _, of_job in rows.groupby(["variant", "job", "job_id"], sort=False):
        first: Any = of_job.iloc[0]
        # Of two protocols the one over fewer classes has the first answers.
        ways = of_job.drop_duplicates("protocol").sort_values("classes", kind="stable")
        kept = read_answers(folder.job_folder(str(first.job_id)))
        for number, (protocol, answers) in enumerate(zip(ways.protocol, kept, strict=False)):
            yield Evaluation(
                variant=str(first.variant),
                title=str(first.title),
                seed=None if pd.isna(first.seed) else int(first.seed),
                job_id=str(first.job_id),
                job=str(first.job),
                dataset="" if pd.isna(first.dataset) else str(first.dataset),
                protocol=str(protocol),
                is_first=number == 0,
                answers=answers,
            )
