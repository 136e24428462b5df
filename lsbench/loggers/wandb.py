"""Weights & Biases, online or offline.

The run's id is the job's id, so a training that is stopped and resumed is one run. Epochs are the x-axis of
every metric. An epoch that is trained again appears twice: W&B keeps everything it received.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from lsbench.core.spec import StrictModel
from lsbench.loggers import Logger, LoggerKind, RunInfo

#: Seconds that a job waits for the server before it trains without it.
PATIENCE_S = 30


class WandbSpec(StrictModel):
    """Options of the W&B logger; keys are taken from W&B's own login or environment, never from a suite."""

    project: str | None = Field(default=None, description="default: the suite's name")
    entity: str | None = Field(default=None, description="user or team; default: that of the login")
    group: str | None = Field(default=None, description="default: suite/preset")
    tags: tuple[str, ...] = Field(default=(), description="tags of every run")
    url: str | None = Field(default=None, description="your own server; default: W&B's")
    mode: Literal["online", "offline"] | None = Field(
        default=None, description="offline: files for `wandb sync`; default: WANDB_MODE, or online"
    )


class WandbRun:
    """One W&B run."""

    def __init__(self, run: Any) -> None:
        """Take over an open run."""
        self._run = run
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Send one epoch; W&B sends in the background."""
        self._run.log({"epoch": epoch, **metrics})

    def close(self, ok: bool) -> None:
        """Finish the run, waiting until everything is sent."""
        self._run.finish(exit_code=0 if ok else 1)


def open_run(spec: WandbSpec, run: RunInfo) -> Logger:
    """Start or continue the W&B run of a job."""
    import wandb

    settings = wandb.Settings(
        console="off", silent=True, disable_git=True, init_timeout=PATIENCE_S, login_timeout=PATIENCE_S
    )
    if spec.url is not None:
        settings.base_url = spec.url
    opened = wandb.init(
        project=spec.project or run.suite,
        entity=spec.entity,
        group=spec.group or run.group,
        tags=list(spec.tags),
        id=run.job_id,
        name=run.label,
        job_type=run.kind,
        resume="allow",
        mode=spec.mode,
        dir=str(run.folder),
        config=dict(run.settings),
        settings=settings,
    )
    return WandbRun(opened)


LOGGER = LoggerKind(WandbSpec, package="wandb", install="lsbench[wandb]", open=open_run)
