"""The curves of a training: written after every epoch for readers and loggers, and as records at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from lsbench.core.atomic import write_json
from lsbench.core.facets import Facets
from lsbench.core.job import JobContext
from lsbench.core.record import Record, measured
from lsbench.engine.distributed import current_world
from lsbench.engine.log_delivery import MultiLogger, open_loggers, run_info
from lsbench.engine.trainer import Trainer, Validate
from lsbench.store.job_files import HISTORY


@dataclass(frozen=True)
class Curves:
    """The curves of a training.

    Attributes:
        context: The job.
        validated: Metric of the records of each validated epoch -> its key in the history.
    """

    context: JobContext
    validated: Mapping[str, str]

    @property
    def metrics(self) -> dict[str, str]:
        """Metric of the records of each epoch -> its key in the history."""
        return {"train_loss": "loss", **self.validated, "lr": "lr", "data_wait_frac": "data_wait_frac"}

    def follow(self, trainer: Trainer, validate: Validate) -> list[dict[str, float]]:
        """Train to the last epoch, write every epoch's values, and return them.

        Raises:
            DivergedError: As :meth:`lsbench.engine.trainer.Trainer.run`.
        """
        choices = trainer.recipe.loggers if trainer.world.is_first else ()
        info = run_info(self.context, start_epoch=trainer.progress.epoch)
        with open_loggers(choices, info) as loggers:
            return trainer.run(partial(self._emit_and_keep, trainer, loggers), validate).history

    def _emit_and_keep(self, trainer: Trainer, loggers: MultiLogger, event: dict[str, Any]) -> None:
        """Pass an event on; after an epoch, write the progress for readers outside the job."""
        if event["ev"] == "epoch":
            self.write(trainer)
            loggers.log(event["epoch"], {metric: event.get(key) for metric, key in self.metrics.items()})
        self.context.emit(event)

    def write(self, trainer: Trainer, **more: str) -> None:
        """Write the epochs so far, on the first rank.

        Args:
            trainer: The training.
            more: Further values of the file.
        """
        if current_world().is_first:
            history = {"epochs": trainer.progress.history, "of_epochs": trainer.planned_epochs}
            write_json(self.context.folder / HISTORY, {**history, **more})

    def records(self, history: list[dict[str, float]], *, dataset: str, facets: Facets) -> Iterator[Record]:
        """Yield a record of each value of each epoch.

        Args:
            history: The values of all epochs.
            dataset: Name of the data set.
            facets: Those of the whole training.
        """
        for number, entry in enumerate(history, 1):
            where: dict[str, Any] = {"dataset": dataset, "facets": facets.of_epoch(number)}
            for metric, key in self.metrics.items():
                if key in entry:
                    yield measured(metric, entry[key], setting={"epoch": number}, **where)
