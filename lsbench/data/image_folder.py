"""List the images of a split with their class indices, and decode one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torchvision.datasets.folder import make_dataset

from lsbench.core.errors import DataError
from lsbench.data.dataset import IMAGE_EXTENSIONS, ImageFolders


@dataclass(frozen=True)
class ImageList:
    """The images of one split, sorted by class and then by file name.

    Attributes:
        folder: The split's folder.
        paths: Paths relative to `folder`, with forward slashes.
        targets: Class index of each path: the position of its folder in the data set's wnids.
    """

    folder: Path
    paths: tuple[str, ...]
    targets: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def decode(self, index: int) -> Image.Image:
        """Return image `index` as RGB.

        Raises:
            DataError: If the file is not a readable image.
        """
        path = self.folder / self.paths[index]
        try:
            with Image.open(path) as image:
                return image.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(
                f"expected a readable image at {path}, found: {error}; replace the file"
            ) from error


def list_images(folders: ImageFolders, split: str) -> ImageList:
    """Return the images of a split, at most ``folders.limit`` of them.

    The class index never depends on which folders happen to exist: a split that lacks a class keeps
    the indices of the others.

    Raises:
        DataError: If the split does not exist or holds no image.
    """
    folder = folders.split(split)
    class_to_idx = {wnid: index for index, wnid in enumerate(sorted(folders.wnids))}
    found = make_dataset(str(folder), class_to_idx, extensions=IMAGE_EXTENSIONS, allow_empty=True)
    if not found:
        raise DataError(f"expected images in {folder}/<class>/, found none; fill the folder or remove it")
    kept = _spread(found, folders.limit)
    relative = tuple(Path(path).relative_to(folder).as_posix() for path, _ in kept)
    return ImageList(folder, relative, tuple(target for _, target in kept))


def _spread(found: list[tuple[str, int]], limit: int | None) -> list[tuple[str, int]]:
    """Return at most `limit` evenly spaced entries, so that every class keeps its share."""
    if limit is None or limit >= len(found):
        return found
    return [found[i * len(found) // limit] for i in range(limit)]
