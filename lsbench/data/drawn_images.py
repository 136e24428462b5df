"""Single images of any size, with what a detector or segmenter needs of each, for pictures of its results.

Shapes: H rows, W columns of an image as it is drawn; h, w as the model sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from lsbench.core.errors import ConfigError
from lsbench.core.registry import suggest
from lsbench.data.dataset import PreparedData
from lsbench.data.detection import samples as detection_samples
from lsbench.data.detection import transforms as detection_transforms
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.loading.image_files import ImageFiles, spread
from lsbench.data.loading.image_list import to_rgb
from lsbench.data.loading.keep_ratio import Scaling, to_image
from lsbench.data.picture_folder import list_pictures
from lsbench.data.segmentation import samples as segmentation_samples
from lsbench.data.segmentation import transforms as segmentation_transforms
from lsbench.data.segmentation.folders import LabelMapFolders

#: The longer side of a picture, at most: no figure of a page shows more.
LARGEST = 1200
#: Transforms of test images, by task.
TRANSFORMS: dict[str, Callable[[Scaling], v2.Compose]] = {
    "detection": detection_transforms.create_eval_transform,
    "segmentation": segmentation_transforms.create_eval_transform,
}


@dataclass(frozen=True)
class DrawnImage:
    """One image.

    Attributes:
        name: Name of its file.
        picture: RGB bytes, shape (H, W, 3): those of the file, or fewer if that is very large.
        image: Normalised, shape (3, h, w), before padding.
        truth: The class of each pixel, 255 where it does not count, shape (H, W); None if it is unknown.
    """

    name: str
    picture: NDArray[np.uint8]
    image: Tensor
    truth: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class DrawnImages(Sequence[DrawnImage]):
    """Images that are read when they are asked for.

    Attributes:
        names: Their names.
        read: Returns RGB bytes of the image at a place, shape (3, height, width), and its truth.
        transform: Makes the model's input of these bytes.
    """

    names: tuple[str, ...]
    read: Callable[[int], tuple[Tensor, NDArray[np.uint8] | None]]
    transform: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> DrawnImage:  # type: ignore[override]  # it has no slices
        if not 0 <= index < len(self):
            raise IndexError(index)
        image, truth = self.read(index)
        size = drawn_size((image.shape[-2], image.shape[-1]))
        small = image if size == image.shape[-2:] else F.resize(image, list(size), antialias=True)
        picture = np.ascontiguousarray(small.permute(1, 2, 0).numpy())
        return DrawnImage(
            self.names[index], picture, self.transform(image), None if truth is None else nearest(truth, size)
        )

    def __iter__(self) -> Iterator[DrawnImage]:
        return (self[index] for index in range(len(self)))


def drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the picture of an image: its own, unless a side exceeds :data:`LARGEST`.

    >>> drawn_size((480, 640)), drawn_size((2400, 1200))
    ((480, 640), (1200, 600))
    """
    scale = min(1.0, LARGEST / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def nearest(labels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return labels (height, width) in another size; each pixel has one of the old labels."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, labels.shape, strict=True))
    found: NDArray[np.uint8] = labels[rows][:, columns]
    return found


def images_of_split(
    data: PreparedData, split: str, scaling: Scaling, *, names: Sequence[str] = (), num_images: int
) -> DrawnImages:
    """Return images of a data set for detection or segmentation.

    Args:
        data: The data set.
        split: One of its splits.
        scaling: Size and normalisation of the model's input.
        names: Paths or file names of the images, with or without the ending; none: evenly spaced ones.
        num_images: Image count without names.

    Raises:
        ConfigError: If a name is unknown or stands for several images, or the data serves another task.
        DataError: If the data is missing or wrong.
    """
    transform = TRANSFORMS.get(data.task)
    few = data if names else data.at_most(num_images)
    if isinstance(few, DetectionFiles) and transform:
        found = detection_samples.open_split(few, split, with_masks=False, for_training=False)
        chosen = _chosen(found.paths, names, f"the split '{split}'")
        return DrawnImages(
            tuple(found.paths[place] for place in chosen),
            lambda index: (found.decode(chosen[index]).as_subclass(Tensor), None),
            _of_image(transform(scaling)),
        )
    if isinstance(few, LabelMapFolders) and transform:
        opened = segmentation_samples.open_split(few, split)
        chosen = _chosen(opened.paths, names, f"the split '{split}'")

        def read(index: int) -> tuple[Tensor, NDArray[np.uint8]]:
            image, label_map = opened.read(chosen[index])
            return image.as_subclass(Tensor), label_map.as_subclass(Tensor).numpy()

        return DrawnImages(
            tuple(opened.paths[place] for place in chosen), read, _of_image(transform(scaling))
        )
    raise ConfigError(
        f"expected a data set for detection or segmentation, found one for {data.task}; name another"
    )


def images_of_folder(
    folder: Path, task: str, scaling: Scaling, *, names: Sequence[str] = (), num_images: int
) -> DrawnImages:
    """Return images of a folder of one's own, sorted by name, and turned as their cameras say.

    Args:
        folder: The folder; those below it are not looked into.
        task: ``detection`` or ``segmentation``: of what the model's input is made for.
        scaling: Size and normalisation of the model's input.
        names: File names of the images, with or without the ending; none: evenly spaced ones.
        num_images: Image count without names.

    Raises:
        ConfigError: If a name is unknown.
        DataError: If there is no such folder, or no image in it.
    """
    files = list_pictures(folder)
    every = files if names else tuple(files[place] for place in spread(len(files), num_images))
    chosen = _chosen(every, names, str(folder))
    images = ImageFiles(folder, tuple(every[place] for place in chosen))
    return DrawnImages(
        images.paths, lambda index: (_upright(images, index), None), _of_image(TRANSFORMS[task](scaling))
    )


def _upright(images: ImageFiles, index: int) -> Tensor:
    """Return the bytes of an image, shape (3, height, width), turned as its camera says."""
    with images.open(index) as file, Image.open(file) as image:
        pixels = np.array(to_rgb(ImageOps.exif_transpose(image)))
    found: Tensor = to_image(pixels).as_subclass(Tensor)
    return found


def _of_image(transform: v2.Compose) -> Callable[[Tensor], Tensor]:
    return lambda image: transform(tv_tensors.Image(image)).as_subclass(Tensor)


def _chosen(paths: Sequence[str], names: Sequence[str], where: str) -> tuple[int, ...]:
    """Return the places of the named images, in the order of their names; of all without names."""
    if not names:
        return tuple(range(len(paths)))
    known: dict[str, list[int]] = {}
    for place, path in enumerate(paths):
        for name in dict.fromkeys(_names_of(path)):
            known.setdefault(name, []).append(place)
    found = []
    for name in names:
        places = known.get(name, [])
        if len(places) != 1:
            problem = f"{len(places)} images are called so" if places else "no image is called so"
            raise ConfigError(
                f"images: {name}: {problem} in {where}, which begins with {paths[0]}{suggest(name, known)}"
            )
        found.append(places[0])
    return tuple(found)


def _names_of(path: str) -> Iterable[str]:
    """Yield the names by which an image is called.

    >>> list(_names_of("a/b.jpg"))
    ['a/b.jpg', 'b.jpg', 'b']
    """
    yield path
    yield Path(path).name
    yield Path(path).stem
