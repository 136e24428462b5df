"""Rebuild the embedded subset of Fashion-MNIST from the original files.

``python -m lsbench.data.garments.build --source DIR``, where DIR holds the four ``*-ubyte.gz`` files of
Fashion-MNIST, e.g. ``/usr/share/datasets/fashion-mnist`` of Debian's ``dataset-fashion-mnist``. With
``--check`` nothing is written and the exit code says whether the shipped files are reproduced.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsbench.core.errors import DataError
from lsbench.data.garments.pack import MANIFEST, PACK

TRAIN_PER_CLASS, VAL_PER_CLASS = 900, 100
SOURCES = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
CLASSES = (
    ("T-shirt/top", "n03595614"),
    ("Trouser", "n03594734"),
    ("Pullover", "n04370456"),
    ("Dress", "n03450230"),
    ("Coat", "n04479046"),
    ("Sandal", "n04133789"),
    ("Shirt", "n03617480"),
    ("Sneaker", "n04120489"),
    ("Bag", "n04026417"),
    ("Ankle boot", "n03124043"),
)
RULE = (
    "Walk the source's training file in order and skip every image whose pixels equal those of a test "
    f"image or of an earlier training image. Per class, the first {TRAIN_PER_CLASS} images left are 'train' "
    f"and the next {VAL_PER_CLASS} are 'val'. 'test' is the source's whole test file. Each split is sorted "
    "by class, then by source index."
)

Rows = dict[str, NDArray[np.int64]]


def read_source(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the four source arrays by file name, images as ``(N, 28, 28)``, labels as ``(N,)``.

    Raises:
        DataError: If a file is missing or its checksum differs from the published one.
    """
    arrays = {}
    for name, expected in SOURCES.items():
        path = folder / name
        if not path.is_file():
            raise DataError(f"expected {path}, found nothing; pass --source the folder of Fashion-MNIST")
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise DataError(f"expected sha256 {expected} for {path}, found {found}; get the original file")
        offset = 16 if "images" in name else 8
        array = np.frombuffer(gzip.decompress(content), np.uint8, offset=offset)
        arrays[name] = array.reshape(-1, 28, 28) if "images" in name else array
    return arrays


def select_rows(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.uint8],
) -> tuple[Rows, int]:
    """Return the source rows of each split by :data:`RULE`, and the number of duplicates found.

    Raises:
        DataError: If a class has too few images.
    """
    seen = {image.tobytes() for image in test_images}
    by_class: list[list[int]] = [[] for _ in CLASSES]
    duplicates = 0
    for row, (image, label) in enumerate(zip(train_images, train_labels, strict=True)):
        pixels = image.tobytes()
        if pixels in seen:
            duplicates += 1
            continue
        seen.add(pixels)
        by_class[label].append(row)
    wanted = TRAIN_PER_CLASS + VAL_PER_CLASS
    if min(len(rows) for rows in by_class) < wanted:
        raise DataError(f"expected {wanted} distinct training images per class, found fewer")
    test = [np.flatnonzero(test_labels == label) for label in range(len(CLASSES))]
    return {
        "train": np.concatenate([rows[:TRAIN_PER_CLASS] for rows in by_class]).astype(np.int64),
        "val": np.concatenate([rows[TRAIN_PER_CLASS:wanted] for rows in by_class]).astype(np.int64),
        "test": np.concatenate(test).astype(np.int64),
    }, duplicates


def build(folder: Path) -> tuple[bytes, str]:
    """Return the pack and its manifest text.

    xz may compress differently in another version of liblzma, so the data is identified by the checksum of
    the uncompressed payload.
    """
    source = read_source(folder)
    train = source["train-images-idx3-ubyte.gz"], source["train-labels-idx1-ubyte.gz"]
    test = source["t10k-images-idx3-ubyte.gz"], source["t10k-labels-idx1-ubyte.gz"]
    rows, duplicates = select_rows(*train, *test)
    layout: list[dict[str, Any]] = []
    chunks: list[bytes] = []
    for split, chosen in rows.items():
        images, labels = test if split == "test" else train
        for part, array in (("images", images[chosen]), ("labels", labels[chosen]), ("indices", chosen)):
            stored = array.astype("<u2" if part == "indices" else "|u1")
            layout.append({"name": f"{split}/{part}", "dtype": stored.dtype.str, "shape": list(stored.shape)})
            chunks.append(stored.tobytes())
    payload = b"".join(chunks)
    pack = lzma.compress(payload, preset=9 | lzma.PRESET_EXTREME)
    return pack, _manifest(pack, payload, layout, rows, duplicates)


def _manifest(pack: bytes, payload: bytes, layout: list[dict[str, Any]], rows: Rows, duplicates: int) -> str:
    manifest = {
        "title": "Fashion-MNIST, embedded subset",
        "licence": "MIT, Copyright 2017 Zalando SE; see LICENSE.fashion-mnist",
        "source": "https://github.com/zalandoresearch/fashion-mnist",
        "source_sha256": SOURCES,
        "rule": RULE,
        "exact_duplicates_skipped": duplicates,
        "splits": {
            split: {
                "num_images": len(chosen),
                "source_file": f"{'t10k' if split == 'test' else 'train'}-images-idx3-ubyte.gz",
            }
            for split, chosen in rows.items()
        },
        "wnid_note": "The WordNet ids are stand-ins that give the folders ImageNet's layout. They name "
        "the nearest ILSVRC class (kimono for Shirt); no image is from ImageNet.",
        "classes": [{"label": i, "name": name, "wnid": wnid} for i, (name, wnid) in enumerate(CLASSES)],
        "index_note": "The source index of every image is stored in the pack as <split>/indices.",
        "layout": layout,
        "payload_sha256": hashlib.sha256(payload).hexdigest(),
        "pack_sha256": hashlib.sha256(pack).hexdigest(),
        "pack_bytes": len(pack),
    }
    return json.dumps(manifest, indent=2) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Build or check the embedded data; return 0 on success, 2 otherwise."""
    parser = argparse.ArgumentParser(description="Rebuild the embedded Fashion-MNIST subset.")
    parser.add_argument("--source", type=Path, required=True, help="folder of the four *-ubyte.gz files")
    parser.add_argument("--check", action="store_true", help="compare with the shipped files, write nothing")
    options = parser.parse_args(argv)
    try:
        pack, manifest = build(options.source)
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    if not options.check:
        PACK.write_bytes(pack)
        MANIFEST.write_text(manifest, encoding="utf-8")
    shipped = {PACK: pack, MANIFEST: manifest.encode()}
    different = [path.name for path, new in shipped.items() if not path.is_file() or path.read_bytes() != new]
    print(f"different: {', '.join(different)}" if different else f"identical: {len(pack)} bytes")
    return 2 if different else 0


if __name__ == "__main__":
    sys.exit(main())
