"""Scenes of several garments with their boxes, masks and label maps, in the layouts of COCO and ADE20K.

The ten classes of Fashion-MNIST are five categories here, since a T-shirt, a pullover, a coat and a shirt
look much the same at this size, and so do three kinds of shoes. Ids of categories have gaps, as COCO's have.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsbench.core.atomic import write_json
from lsbench.data.detection.run_lengths import to_run_lengths
from lsbench.data.garments.pack import GarmentSplit
from lsbench.data.garments.scenes import Garment, Scene, compose_scene

MOST_GARMENTS = 4
SCALE = (0.3, 0.55)
"""Range of a garment's side as a fraction of the scene's."""


class Category(NamedTuple):
    """A kind of garment: its name, its id in COCO's format, and Fashion-MNIST's class numbers."""

    name: str
    number: int
    labels: tuple[int, ...]


CATEGORIES = (
    Category("top", 1, (0, 2, 4, 6)),
    Category("trouser", 13, (1,)),
    Category("dress", 27, (3,)),
    Category("shoe", 44, (5, 7, 9)),
    Category("bag", 90, (8,)),
)


def compose_scenes(
    photos: GarmentSplit, count: int, *, img_size: int, seed: int, stream: int
) -> Iterator[Scene]:
    """Yield scenes of one to four garments on clutter; labels are places in `CATEGORIES`.

    Scene ``i`` does not depend on the number of scenes. Every category is equally likely.

    Args:
        photos: The garments to choose from.
        count: Number of scenes.
        img_size: Side of the scenes, pixels.
        seed: Seed of all choices.
        stream: Number of the split, so that splits differ.
    """
    rows = [np.flatnonzero(np.isin(photos.labels, category.labels)) for category in CATEGORIES]
    for number in range(count):
        rng = np.random.default_rng([seed, stream, number])
        garments = []
        for _ in range(int(rng.integers(1, MOST_GARMENTS + 1))):
            label = int(rng.integers(len(CATEGORIES)))
            garments.append(Garment(photos.images[rng.choice(rows[label])], label))
        yield compose_scene(rng, garments, img_size=img_size, scale=SCALE)


def write_coco(scenes: Iterator[Scene], annotations: Path, images: Path) -> None:
    """Write scenes as PNGs and one JSON file in COCO's format, with masks as run lengths.

    Args:
        scenes: The scenes.
        annotations: The JSON file.
        images: Folder of the images; it is created.
    """
    images.mkdir(parents=True)
    annotations.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [
            {"id": category.number, "name": category.name, "supercategory": "garment"}
            for category in CATEGORIES
        ],
    }
    for number, scene in enumerate(scenes, 1):
        name = f"{number:012d}.png"
        _save(scene.image, images / name)
        height, width = scene.image.shape[:2]
        content["images"].append({"id": number, "file_name": name, "height": height, "width": width})
        for entry in _objects(scene):
            place = len(content["annotations"]) + 1
            content["annotations"].append({"id": place, "image_id": number, **entry})
    write_json(annotations, {"info": {"description": "scenes of garments"}, "licenses": [], **content})


def _objects(scene: Scene) -> Iterator[dict[str, Any]]:
    for box, mask, label in zip(scene.boxes.tolist(), scene.masks, scene.labels.tolist(), strict=True):
        left, top, right, bottom = box
        yield {
            "category_id": CATEGORIES[label].number,
            "bbox": [left, top, right - left, bottom - top],
            "area": int(mask.sum()),
            "iscrowd": 0,
            "segmentation": {"size": list(mask.shape), "counts": to_run_lengths(mask)},
        }


def write_ade(scenes: Iterator[Scene], images: Path, label_maps: Path, *, word: str) -> None:
    """Write scenes and their label maps as PNGs: 1 is the background, 2 and on are the categories.

    Args:
        scenes: The scenes.
        images: Folder of the images; it is created.
        label_maps: Folder of the label maps; it is created.
        word: Start of the file names.
    """
    for folder in (images, label_maps):
        folder.mkdir(parents=True)
    for number, scene in enumerate(scenes, 1):
        name = f"ADE_{word}_{number:08d}.png"
        _save(scene.image, images / name)
        _save(label_map(scene), label_maps / name)


def label_map(scene: Scene) -> NDArray[np.uint8]:
    """Return the stored label of each pixel of a scene, shape ``(H, W)``; 0, not to be counted, is unused."""
    found = np.ones(scene.image.shape[:2], dtype=np.uint8)
    for mask, label in zip(scene.masks, scene.labels.tolist(), strict=True):
        found[mask] = label + 2
    return found


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    Image.fromarray(pixels).save(path, compress_level=1)
