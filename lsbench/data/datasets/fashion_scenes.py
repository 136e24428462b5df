"""Garments in colour scenes: one tinted garment to recognise among pieces of others on clutter.

Made from the embedded Fashion-MNIST photos alone. The three splits use disjoint photos, for the garments as
well as for the pieces. Harder than the plain photos: colour does not depend on the class, the background is
busy, and pieces of other garments distract.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.cache import materialise
from lsbench.data.dataset import SPLITS, DatasetSpec, ImageFolders, Rgb
from lsbench.data.garments import pack
from lsbench.data.garments.png_folders import write_split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lsbench.data.garments.pack import GarmentSplit
    from lsbench.data.garments.png_folders import LabelledImage
    from lsbench.data.garments.scenes import Scene

SCENES_VERSION = 1
"""Part of the fingerprint; raise it with every change to scenes or clutter that alters pixels."""

# Measured over all pixels of the 6,000 training scenes at 48 px with seed 0.
MEAN: Rgb = (0.4960, 0.4956, 0.4972)
STD: Rgb = (0.1661, 0.1656, 0.1661)


class FashionScenesSpec(DatasetSpec):
    """Colour scenes of garments; counts are multiples of ten, classes are balanced.

    Attributes:
        name: ``fashion_scenes``.
        img_size: Side of the scenes, pixels; they are composed at this size, not resized to it.
        seed: Seed of tints, places and clutter; not the training seed.
        fragments: Number of pieces of other garments behind the one to recognise.
        train_images: Number of training scenes; scene ``i`` does not depend on it.
        val_images: Number of validation scenes.
        test_images: Number of test scenes.
    """

    name: Literal["fashion_scenes"] = "fashion_scenes"
    img_size: int = Field(default=48, ge=32, le=256)
    seed: int = Field(default=0, ge=0)
    fragments: int = Field(default=4, ge=0, le=16)
    train_images: int = Field(default=6000, ge=10, le=9000, multiple_of=10)
    val_images: int = Field(default=1000, ge=10, le=1000, multiple_of=10)
    test_images: int = Field(default=4000, ge=10, le=10000, multiple_of=10)


class FashionScenesDataset:
    """The composed scenes as PNG folders in the cache."""

    spec = FashionScenesSpec
    in_memory = True
    is_generated = True

    def fingerprint(self, spec: FashionScenesSpec, data_root: Path | None) -> str:
        """Return a hash of the photos' checksum, the generator's version and every field."""
        cache_root()  # the images will be written there: fail now, not in every job
        drawn = {
            "pack": pack.content_sha256(),
            "version": SCENES_VERSION,
            "spec": spec.model_dump(mode="json"),
        }
        return content_hash(drawn, length=64)

    def prepare(self, spec: FashionScenesSpec, data_root: Path | None) -> ImageFolders:
        """Return the folders, composed into the cache on first use (about 20 s for all 11,000)."""

        def write(folder: Path) -> None:
            for split, photos in pack.read_pack().items():
                scenes = _scenes(spec, split, photos, self.num_images(spec, split))
                write_split(folder / split, pack.wnids(), scenes)

        root = materialise(spec.name, self.fingerprint(spec, data_root), write)
        splits = {split: root / split for split in SPLITS}
        masks = partial(_object_masks, spec)
        ordered = tuple(sorted(pack.wnids()))
        return ImageFolders(root, splits, ordered, MEAN, STD, masks=masks, titles=pack.titles())

    def num_classes(self, spec: FashionScenesSpec, data_root: Path | None = None) -> int:
        """Return 10."""
        return 10

    def num_images(self, spec: FashionScenesSpec, split: str) -> int:
        """Return the image count of `split` as the spec sets it."""
        if split not in SPLITS:
            raise DataError(f"expected one of the splits {', '.join(SPLITS)} of {spec.name}, found '{split}'")
        return int(getattr(spec, f"{split}_images"))


def _object_masks(spec: FashionScenesSpec, split: str, paths: Sequence[str]) -> NDArray[np.bool_]:
    """Return the garment's pixels in each scene, shape ``(N, H, W)``; the scenes are composed again.

    Args:
        spec: The data set.
        split: One of its splits.
        paths: ``<class>/<source index>.png`` of each scene.
    """
    import numpy as np

    indices = [int(PurePosixPath(path).stem) for path in paths]
    photos = pack.read_pack()[split]
    scenes = _composed(spec, split, photos, DATASET.num_images(spec, split), frozenset(indices))
    masks = {index: scene.masks.any(axis=0) for scene, _, index in scenes}
    return np.stack([masks[index] for index in indices])


def _scenes(
    spec: FashionScenesSpec, split: str, photos: GarmentSplit, num_images: int
) -> Iterator[LabelledImage]:
    """Yield each scene, its label and its garment's source index, which also seeds the scene."""
    for scene, label, index in _composed(spec, split, photos, num_images):
        yield scene.image, label, index


def _composed(
    spec: FashionScenesSpec,
    split: str,
    photos: GarmentSplit,
    num_images: int,
    only: Container[int] | None = None,
) -> Iterator[tuple[Scene, int, int]]:
    """Yield scenes with label and source index, all or only those of some source indices."""
    import numpy as np

    from lsbench.data.garments.scenes import Garment, compose_scene

    mains = photos.balanced_prefix(num_images)
    others = [np.flatnonzero(photos.labels != label) for label in range(10)]
    for image, label, index in zip(mains.images, mains.labels.tolist(), mains.indices.tolist(), strict=True):
        if only is not None and index not in only:
            continue
        rng = np.random.default_rng([spec.seed, SPLITS.index(split), index])
        rows = rng.choice(others[label], size=spec.fragments)
        garments = [Garment(image, label)]
        fragments = list(photos.images[rows])
        yield compose_scene(rng, garments, img_size=spec.img_size, fragments=fragments), label, index


DATASET = FashionScenesDataset()
