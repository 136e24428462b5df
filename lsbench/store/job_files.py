"""The names of the files that a job writes for readers, and a reader of its arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from lsbench.core.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The prediction for each image, and whether it was correct.
PREDICTIONS = "predictions.npz"
#: The curves of a training, written after every epoch.
HISTORY = "history.json"


def read_arrays(
    path: Path, names: Sequence[str], *, optional: Iterable[str] = ()
) -> dict[str, NDArray[Any]] | None:
    """Return arrays from an ``.npz`` file, or None if the file or one of `names` does not exist.

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
