"""The tasks that data sets serve and jobs work on."""

from __future__ import annotations

from typing import Any, Literal, get_args

#: A class for each image, boxes and masks of its objects, or a class for each pixel.
Task = Literal["classification", "detection", "segmentation"]
TASKS: tuple[Task, ...] = get_args(Task)


def task_of(plugin: Any) -> Task:
    """Return the task of a data set's plug-in; one that names none knows classes of whole images."""
    found: Task = getattr(plugin, "task", "classification")
    return found
