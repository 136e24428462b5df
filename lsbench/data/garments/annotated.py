"""Generated data sets of scenes with several garments: settings, fingerprint and caching."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from lsbench.core.cache_root import cache_root
from lsbench.core.errors import DataError
from lsbench.core.ids import content_hash
from lsbench.data.cache import materialise
from lsbench.data.dataset import DatasetSpec, Rgb
from lsbench.data.garments import pack

SCENES_VERSION = 1
"""Part of the fingerprint; raise it with every change that alters pixels or annotations."""
#: Split -> the split of the embedded photos that its scenes are made of, and the number of its random stream.
SOURCES = {"train": ("train", 0), "val": ("test", 1)}

# Measured over all pixels of the 600 training scenes at 128 px with seed 0.
MEAN: Rgb = (0.4881, 0.4994, 0.5008)
STD: Rgb = (0.1593, 0.1593, 0.1617)


class AnnotatedScenesSpec(DatasetSpec):
    """Scenes of one to four garments; the test split is the validation set, as in COCO and ADE20K.

    Attributes:
        img_size: Side of the scenes, pixels; they are composed at this size, not resized to it.
        seed: Seed of garments, tints, places and clutter; not the training seed.
        train_images: Number of training scenes; scene ``i`` does not depend on it.
        test_images: Number of test scenes.
    """

    img_size: int = Field(default=128, ge=64, le=512)
    seed: int = Field(default=0, ge=0)
    train_images: int = Field(default=600, ge=1, le=100_000)
    test_images: int = Field(default=150, ge=1, le=100_000)

    @property
    def max_size(self) -> int:
        """Bound of the longer side: scenes are square."""
        return self.img_size


def fingerprint_scenes(spec: AnnotatedScenesSpec, layout: str) -> str:
    """Return a hash of the photos' checksum, the generator's version, the layout and every setting."""
    cache_root()  # the files will be written there: fail now, not in every job
    drawn = {
        "pack": pack.content_sha256(),
        "version": SCENES_VERSION,
        "layout": layout,
        "spec": spec.model_dump(mode="json"),
    }
    return content_hash(drawn, length=64)


def write_scenes(spec: AnnotatedScenesSpec, fingerprint: str, write: Callable[..., None]) -> Path:
    """Return the folder of a generated data set in the cache, written on first use.

    Args:
        spec: Its settings.
        fingerprint: Its fingerprint.
        write: Writes the scenes of one split, given the scenes, the folder of the data set and the split.
    """

    def fill(folder: Path) -> None:
        from lsbench.data.garments.many_garments import compose_scenes

        for split, (source, stream) in SOURCES.items():
            photos, count = pack.read_pack()[source], count_scenes(spec, split)
            scenes = compose_scenes(photos, count, img_size=spec.img_size, seed=spec.seed, stream=stream)
            write(scenes, folder, split)

    return materialise(spec.name, fingerprint, fill)


def count_scenes(spec: AnnotatedScenesSpec, split: str) -> int:
    """Return the number of scenes of a split as the settings have it.

    Raises:
        DataError: If there is no such split.
    """
    counts = {"train": spec.train_images, "val": spec.test_images, "test": spec.test_images}
    if split not in counts:
        raise DataError(f"expected one of the splits {', '.join(counts)} of {spec.name}, found '{split}'")
    return counts[split]
