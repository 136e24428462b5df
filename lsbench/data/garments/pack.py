"""Read the embedded subset of Fashion-MNIST.

The pack ``fashion.raw.xz`` is one xz stream over raw arrays laid end to end; the manifest ``fashion.json``
gives their names, types and shapes, the rule of their selection and every checksum.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsbench.core.errors import DataError
from lsbench.data.dataset import Rgb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent
PACK = FOLDER / "fashion.raw.xz"
MANIFEST = FOLDER / "fashion.json"
# Measured over all pixels of the 9,000 training images.
MEAN: Rgb = (0.2862, 0.2862, 0.2862)
STD: Rgb = (0.3535, 0.3535, 0.3535)


@dataclass(frozen=True)
class GarmentSplit:
    """Garment photos of one split, sorted by class and then by place in the source.

    Attributes:
        images: Grey images, uint8, shape ``(N, 28, 28)``; the background is 0.
        labels: Fashion-MNIST's class number 0-9, uint8, shape ``(N,)``.
        indices: Position in the source file of that split's origin, int64, shape ``(N,)``. Training
            and validation images come from the source's training file, test images from its test file.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]

    def balanced_prefix(self, num_images: int) -> GarmentSplit:
        """Return the first ``num_images / 10`` images of every class.

        Raises:
            DataError: If `num_images` is not a multiple of ten, or the split holds fewer.
        """
        import numpy as np

        per_class, rest = divmod(num_images, 10)
        if rest or not 0 < num_images <= len(self.labels):
            raise DataError(
                f"expected a multiple of 10 up to {len(self.labels)} garment images, found {num_images}"
            )
        rows = np.concatenate([np.flatnonzero(self.labels == c)[:per_class] for c in range(10)])
        return GarmentSplit(self.images[rows], self.labels[rows], self.indices[rows])


@lru_cache(maxsize=1)
def read_manifest() -> dict[str, Any]:
    """Return the manifest of the pack.

    Raises:
        DataError: If a file of the embedded data is missing from the installation.
    """
    for path in (MANIFEST, PACK):
        if not path.is_file():
            raise DataError(f"expected the embedded data at {path}, found nothing; reinstall lsbench")
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return manifest


def wnids() -> tuple[str, ...]:
    """Return the stand-in WordNet id of each Fashion-MNIST class number."""
    return tuple(entry["wnid"] for entry in read_manifest()["classes"])


def titles() -> tuple[str, ...]:
    """Return the name of each class, in the order of the sorted stand-in ids."""
    names = {entry["wnid"]: str(entry["name"]) for entry in read_manifest()["classes"]}
    return tuple(names[wnid] for wnid in sorted(names))


def num_images(split: str) -> int:
    """Return the image count of a split in the pack."""
    return int(read_manifest()["splits"][split]["num_images"])


def content_sha256() -> str:
    """Return the checksum of the uncompressed pack as the manifest states it; fast."""
    return str(read_manifest()["payload_sha256"])


@lru_cache(maxsize=1)
def read_pack() -> dict[str, GarmentSplit]:
    """Return the splits ``train``, ``val`` and ``test``; takes about half a second.

    Raises:
        DataError: If the pack's checksum differs from the manifest's.
    """
    import lzma

    manifest = read_manifest()
    try:
        payload = lzma.decompress(PACK.read_bytes())
    except lzma.LZMAError as error:
        raise DataError(f"{PACK} is damaged ({error}); reinstall lsbench") from error
    found = hashlib.sha256(payload).hexdigest()
    expected = manifest["payload_sha256"]
    if found != expected:
        raise DataError(f"expected content sha256 {expected} in {PACK}, found {found}; reinstall lsbench")
    return _split_payload(payload, manifest["layout"])


def _split_payload(payload: bytes, layout: list[dict[str, Any]]) -> dict[str, GarmentSplit]:
    import numpy as np

    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for part in layout:
        shape, dtype = tuple(part["shape"]), np.dtype(part["dtype"])
        count = int(np.prod(shape))
        arrays[part["name"]] = np.frombuffer(payload, dtype, count, offset).reshape(shape)
        offset += count * dtype.itemsize
    return {
        split: GarmentSplit(
            arrays[f"{split}/images"], arrays[f"{split}/labels"], arrays[f"{split}/indices"].astype(np.int64)
        )
        for split in ("train", "val", "test")
    }
