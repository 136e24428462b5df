"""Measure the reference errors for the corruption errors of the embedded garments.

``python -m lsbench.robustness.embedded_reference`` makes every corrupted view of 1,000 test photos of
``fashion`` exactly as a robustness job does, predicts them with the frozen nearest-neighbour reference, and
rewrites ``corruption_reference.json`` (minutes). With ``--check`` nothing is written and the exit code says
whether the shipped values are reproduced; ``--only`` restricts this to some corruptions.

AlexNet's errors on ImageNet do not apply here; the reference's own errors measure how hard each corruption
is at 32 pixels. The clean error is on the resized photos, which go through no JPEG file.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsbench.core.env import package_version
from lsbench.corruptions import BENCHMARK, SEVERITIES
from lsbench.data.garments import neighbours, pack
from lsbench.data.loading.image_list import ImageList
from lsbench.robustness.views import LiveSource, create_crop, use_one_thread

REFERENCE = Path(__file__).with_name("corruption_reference.json")
IMAGES, IMG_SIZE, FAMILY, JPEG_QUALITY = 1000, 32, "original", 85
PACKAGES = ("numpy", "scipy", "pillow", "opencv-python")
TOLERANCE = 0.005
"""Largest difference allowed with other versions of numpy, OpenCV or Pillow: five of 1,000 images."""


class PackReader:
    """Photos of the pack, decoded like the files that ``fashion`` writes, without the folders."""

    def __init__(self, photos: pack.GarmentSplit) -> None:
        self._photos = photos

    def __getitem__(self, row: int) -> tuple[io.BytesIO, int]:
        file = io.BytesIO()
        Image.fromarray(self._photos.images[row]).save(file, "PNG")
        file.seek(0)
        return file, int(self._photos.labels[row])


def reference_photos(num_images: int = 10_000, limit: int = IMAGES) -> ImageList:
    """Return evenly spaced test photos, the same that a robustness job with ``subset`` uses.

    Args:
        num_images: The spec's ``test_images``.
        limit: Image count.
    """
    photos = pack.read_pack()["test"].balanced_prefix(num_images)
    wnids = [pack.wnids()[label] for label in photos.labels]
    names = sorted(
        (f"{wnid}/{index:05d}.png", row)
        for row, (wnid, index) in enumerate(zip(wnids, photos.indices, strict=True))
    )
    taken = [names[step * num_images // limit] for step in range(limit)]
    ordered = sorted(pack.wnids())
    return ImageList(
        folder=pack.PACK,
        paths=tuple(path for path, _ in taken),
        targets=tuple(ordered.index(wnids[row]) for _, row in taken),
        kind="folder",
        reader=PackReader(photos),
        rows=tuple(row for _, row in taken),
    )


def measure_errors(images: ImageList, conditions: Sequence[tuple[str, int]]) -> tuple[float, list[float]]:
    """Return the reference's error on clean images, and on each condition: a corruption at a severity.

    Args:
        images: Photos of ``fashion``.
        conditions: Corruptions, each with a severity.
    """
    crop = create_crop(IMG_SIZE, in_memory=True, interpolation=None)
    source = LiveSource(images, crop, conditions, family=FAMILY, jpeg_quality=JPEG_QUALITY)
    views = np.stack([_grey(source.views(index)) for index in range(len(images))], axis=1)
    wnids = sorted(pack.wnids())
    labels = np.array([pack.wnids().index(wnids[target]) for target in images.targets])
    clean, *corrupted = (float(np.mean(neighbours.predict(seen) != labels)) for seen in views)
    return clean, corrupted


def _grey(views: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB images as Pillow's luma, shape ``(V, H, W)``."""
    return np.stack([np.asarray(Image.fromarray(view).convert("L")) for view in views])


def read_reference() -> dict[str, Any]:
    """Return the content of the shipped file."""
    content: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return content


def _to_json(clean_error: float, errors: dict[str, list[float]]) -> str:
    content = {
        "name": neighbours.NAME,
        "clean_error": clean_error,
        "errors": errors,
        "made_by": "python -m lsbench.robustness.embedded_reference",
        "setting": {
            "dataset": "fashion",
            "pack_sha256": pack.content_sha256(),
            "split": "test",
            "images": IMAGES,
            "img_size": IMG_SIZE,
            "family": FAMILY,
            "jpeg": f"quality {JPEG_QUALITY}, 4:2:0",
        },
        "versions": {name: package_version(name) for name in PACKAGES},
    }
    return json.dumps(content, indent=1) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the reference errors and write or check them; return 0 on success, 2 otherwise."""
    parser = argparse.ArgumentParser(description="Measure the reference errors of corrupted garments.")
    parser.add_argument("--check", action="store_true", help="compare with the shipped file, write nothing")
    parser.add_argument("--only", nargs="+", choices=BENCHMARK, help="with --check: only these corruptions")
    options = parser.parse_args(argv)
    if options.only and not options.check:
        parser.error("--only needs --check: the file holds all corruptions")
    use_one_thread()
    corruptions = options.only or BENCHMARK
    conditions = [(name, severity) for severity in SEVERITIES for name in corruptions]
    clean_error, found = measure_errors(reference_photos(), conditions)
    errors = {name: found[row :: len(corruptions)] for row, name in enumerate(corruptions)}
    if not options.check:
        REFERENCE.write_text(_to_json(clean_error, errors), encoding="utf-8")
        print(f"{REFERENCE.name}: clean error {clean_error:.3f}, {len(errors)} corruptions")
        return 0
    shipped = read_reference()
    measured = {"clean": [clean_error], **errors}
    known = {"clean": [shipped["clean_error"]], **shipped["errors"]}
    off = {name: float(np.abs(np.subtract(measured[name], known[name])).max()) for name in measured}
    for name, difference in off.items():
        print(f"{name:18s} largest difference {difference:.4f}")
    return 2 if max(off.values()) > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
