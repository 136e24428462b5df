"""The names of what a job leaves in its folder for the reading half, and how its arrays are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from lsbench.core.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The answer to each image, and whether it was right.
PREDICTIONS = "predictions.npz"
#: The curves of a training, written after every epoch.
HISTORY = "history.json"


def read_arrays(
    path: Path, names: Sequence[str], *, optional: Iterable[str] = ()
) -> dict[str, NDArray[Any]] | None:
    """Return arrays of an ``.npz`` file, or None if the file or one of `names` does not exist.

    Raises:
        StoreError: If the file is damaged.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = [*names, *(name for name in optional if name in file)]
            return {name: file[name] for name in wanted}
    except (FileNotFoundError, KeyError):
        return None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StoreError(f"{path}: damaged ({error}); remove the job's folder and run again") from error
