"""The data set of a job: opened once and passed to its users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lsbench.core.errors import ConfigError
from lsbench.core.job import JobContext
from lsbench.core.registry import DATASETS
from lsbench.data.dataset import DatasetPlugin, ImageFolders, PreparedData, image_folders
from lsbench.data.preflight import check_prepared


class OpenData:
    """A data set with its settings; its images are prepared on first use.

    Attributes:
        plugin: The data set's plug-in.
        spec: Its settings.
    """

    def __init__(self, settings: Mapping[str, Any], data_root: str | None) -> None:
        """Read the settings; no image is read.

        Args:
            settings: Name and options, as a suite gives them.
            data_root: Folder under which large data sets live, if given.
        """
        self.plugin: DatasetPlugin = DATASETS.load(settings["name"])
        self.spec: Any = self.plugin.spec.model_validate(settings)
        self._root = None if data_root is None else Path(data_root)

    @property
    def name(self) -> str:
        """The plug-in's name."""
        return str(self.spec.name)

    @property
    def img_size(self) -> int:
        """Side of the square that the model sees, pixels."""
        return int(self.spec.img_size)

    @cached_property
    def prepared(self) -> PreparedData:
        """The data on this machine, for any task.

        Raises:
            DataError: If the data is missing or incomplete.
        """
        return self.plugin.prepare(self.spec, self._root)

    @property
    def folders(self) -> ImageFolders:
        """The image folders on this machine.

        Raises:
            ConfigError: If the data set is for another task than classification.
            DataError: If the data is missing or incomplete.
        """
        return image_folders(self.prepared, self.name)

    @property
    def num_classes(self) -> int:
        """Number of classes; if the plug-in knows it, no image is needed.

        Raises:
            DataError: If the number is only known from the data, and it is missing.
        """
        is_open = "prepared" in self.__dict__
        return self.prepared.num_classes if is_open else int(self.plugin.num_classes(self.spec, self._root))

    def require(self, splits: Sequence[str] | None = None, *, masks: bool = False) -> None:
        """Check a sample of the images; fast while nothing changes.

        Args:
            splits: Only these; default: all.
            masks: Whether masks of objects are needed.

        Raises:
            DataError: If something is missing or wrong; the message says what to do.
        """
        check_prepared(self.prepared, self.name, splits=splits).require(masks=masks)


def open_data(context: JobContext, other: Mapping[str, Any] | None = None) -> OpenData:
    """Return the job's data set, or another one.

    Args:
        context: The job.
        other: Settings of another data set; its images have the size of the variant's own unless the settings
            give another.
    """
    own = context.job.variant.dataset
    settings = own if other is None else {"img_size": own["img_size"], **other}
    return OpenData(settings, context.job.data_root)


def open_tested(context: JobContext, other: Mapping[str, Any] | None) -> tuple[OpenData, OpenData]:
    """Return the job's data set and the one to test on; they are the same if no other is given.

    Raises:
        ConfigError: If the classes of the other data set differ from the job's.
        DataError: If the other data set is missing.
    """
    own = open_data(context)
    if other is None:
        return own, own
    tested = open_data(context, other)
    found, known = tested.folders.wnids, own.folders.wnids
    if found != known:
        raise ConfigError(
            f"{context.job.label}: expected a data set with the {len(known)} classes of "
            f"'{own.name}' ({known[0]}, ...), found '{tested.name}' with "
            f"{len(found)} ({found[0]}, ...); test on a data set with the classes that the model knows"
        )
    return own, tested
