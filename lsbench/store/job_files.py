"""The names of the files that a job writes for readers, and a reader of its arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from lsbench.core.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The answers to each image, and whether they were correct.
PREDICTIONS = "predictions.npz"
#: Prefixes of its arrays: an evaluation over some of the classes may have further ones over all.
HEADS = ("", "whole_")
#: The objects that a detector found in each image, and their matches.
DETECTIONS = "detections.npz"
#: The pixels of each class in each image, true, predicted and right, and the confusion over all images.
CONFUSION = "confusion.npz"
#: Numbers of a test over resampled images.
RESAMPLED = "resampled.npz"
#: The curves of a training, written after every epoch.
HISTORY = "history.json"
#: The folder of a training's checkpoints; by default it holds its steps, too.
CHECKPOINTS = "checkpoints"
#: The weights after the last update, and their moving average.
WEIGHTS, EMA = f"{CHECKPOINTS}/weights.pt", f"{CHECKPOINTS}/ema.pt"
#: File name of a step's checkpoint: the step stands between them.
STEP_PREFIX, STEP_SUFFIX = "step-", ".pt"
#: File name of versions without seals, written at the end of each epoch.
UNSEALED_STEP_FILE = "last.pt"


def read_arrays(
    path: Path, names: Sequence[str] | None = None, *, optional: Iterable[str] = ()
) -> dict[str, NDArray[Any]] | None:
    """Return arrays from an ``.npz`` file, or None if the file or one of `names` does not exist.

    Args:
        path: The file.
        names: Names of arrays; None for all.
        optional: Names of further arrays, which may be absent.

    Raises:
        StoreError: If the file is damaged.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = [*(file.files if names is None else names), *(name for name in optional if name in file)]
            return {name: file[name] for name in wanted}
    except (FileNotFoundError, KeyError):
        return None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StoreError(f"{path}: damaged ({error}); remove the job's folder and run again") from error
