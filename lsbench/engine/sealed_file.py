"""Files of ``torch.save`` with a seal at the end: the content's length and its SHA-256.

``torch.load`` ignores the seal, so a sealed file opens like any other.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import Any, BinaryIO, cast

import torch

from lsbench.core.errors import StoreError

MAGIC = b"lsbench-checkpoint-1"
SEAL_BYTES = len(MAGIC) + 8 + 32  # magic bytes, the content's length, its SHA-256


class _Writer:
    """Passes on its input, and records its length, its hash and the error if it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self.length, self.digest = 0, hashlib.sha256()
        self.error: OSError | None = None
        self._file = file

    def write(self, part: bytes | memoryview) -> int:
        try:
            self._file.write(part)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(part)
        self.length += len(part)
        return len(part)

    def flush(self) -> None:
        """Do nothing: the owner of the file flushes it."""


def write_state(file: BinaryIO, state: Any) -> bytes:
    """Write `state` with ``torch.save``, part by part, and return the seal of the written bytes.

    Args:
        file: Open for writing; it is neither read nor seeked.
        state: Tensors and plain values.

    Raises:
        OSError: If the file cannot be written; torch itself would raise an error about positions instead.
    """
    writer = _Writer(file)
    try:
        torch.save(state, cast(BinaryIO, writer))
    except Exception:
        if writer.error is not None:
            raise writer.error from None
        raise
    return _seal(writer.length, writer.digest.digest())


def write_sealed(file: BinaryIO, state: Any) -> None:
    """Write `state` and its seal; see :func:`write_state`."""
    file.write(write_state(file, state))


def opened(whole: bytes) -> memoryview | None:
    """Return the content inside a valid seal, or None if there is no valid seal.

    Args:
        whole: All bytes of a file.
    """
    content, seal = memoryview(whole)[:-SEAL_BYTES], whole[-SEAL_BYTES:]
    return content if seal == _seal(len(content), hashlib.sha256(content).digest()) else None


def read_state(content: bytes | memoryview, *, device: str = "cpu") -> Any:
    """Read a state that :func:`write_state` wrote.

    Raises:
        StoreError: If it is damaged, or needs more than tensors and plain values (``weights_only``).
    """
    try:
        return torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = "it is damaged, or asks for code to be run"
        raise StoreError(reason) from error
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise StoreError(f"it is damaged ({type(error).__name__})") from error


def _seal(length: int, digest: bytes) -> bytes:
    return MAGIC + length.to_bytes(8, "big") + digest
