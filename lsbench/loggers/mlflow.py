"""MLflow: a tracking server, or a database file beside the results.

A job's run is found by its tag ``lsbench.job_id``, so a training that is stopped and resumed is one run. An
epoch that is trained again adds a second point at its step.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lsbench.core.lock import locked
from lsbench.core.spec import StrictModel
from lsbench.loggers import Logger, LoggerKind, RunInfo

if TYPE_CHECKING:
    from mlflow import MlflowClient

JOB_TAG = "lsbench.job_id"
#: Limits of one request, and of the length of a value.
MOST_PARAMS, LONGEST_VALUE = 100, 500
#: An unreachable server must not hold up a training for the minutes of MLflow's defaults.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class MlflowSpec(StrictModel):
    """Options of the MLflow logger."""

    url: str | None = Field(
        default=None,
        description="tracking URI; default: MLFLOW_TRACKING_URI, or mlflow.db in the suite's results folder",
    )
    project: str | None = Field(default=None, description="the experiment; default: the suite's name")
    tags: dict[str, str] = Field(default_factory=dict, description="tags of every run")


class MlflowRun:
    """One MLflow run."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        """Take over an open run."""
        self._client, self._id = client, run_id

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Send one epoch as one request."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [Metric(name, float(value), now, epoch) for name, value in metrics.items()]
        self._client.log_batch(self._id, metrics=found)

    def close(self, ok: bool) -> None:
        """End the run."""
        self._client.set_terminated(self._id, "FINISHED" if ok else "FAILED")


def open_run(spec: MlflowSpec, run: RunInfo) -> Logger:
    """Start or continue the MLflow run of a job."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    url = spec.url or os.environ.get("MLFLOW_TRACKING_URI")
    if url is not None:
        return _continued_or_new(MlflowClient(tracking_uri=url), spec, run)
    beside = run.folder.absolute().parents[1] / "mlflow.db"
    lock = beside.with_name(".mlflow.lock")
    with locked(
        lock, what=str(beside), wait_s=math.inf
    ):  # two jobs that create its tables at the same time corrupt the file
        return _continued_or_new(MlflowClient(tracking_uri=f"sqlite:///{beside}"), spec, run)


def _continued_or_new(client: MlflowClient, spec: MlflowSpec, run: RunInfo) -> MlflowRun:
    experiment = _experiment_id(client, spec.project or run.suite)
    found = client.search_runs([experiment], f"tags.`{JOB_TAG}` = '{run.job_id}'", max_results=1)
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return MlflowRun(client, found[0].info.run_id)
    tags = {JOB_TAG: run.job_id, "lsbench.group": run.group, "lsbench.kind": run.kind, **spec.tags}
    created = client.create_run(experiment, tags=tags, run_name=run.label).info.run_id
    _log_settings(client, created, run.settings)
    return MlflowRun(client, created)


def _experiment_id(client: MlflowClient, name: str) -> Any:
    """Return the id of an experiment, created if necessary; jobs may start side by side."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name)
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def _log_settings(client: MlflowClient, run_id: str, settings: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    params = [Param(name, str(value)[:LONGEST_VALUE]) for name, value in settings.items()]
    for start in range(0, len(params), MOST_PARAMS):
        client.log_batch(run_id, params=params[start : start + MOST_PARAMS])


LOGGER = LoggerKind(MlflowSpec, package="mlflow", install="lsbench[mlflow]", open=open_run)
