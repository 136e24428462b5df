"""Small pictures of chosen images of a split, for reports; nothing here needs torch.

The images are listed as in an evaluation, so that their names are the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.image_list import list_images

#: Longest side in pixels, and JPEG quality: about 3 kB apiece.
SIDE, QUALITY = 112, 80


def create_thumbnails(
    folders: ImageFolders, split: str, names: Mapping[int, str]
) -> Iterator[tuple[int, bytes]]:
    """Yield number and JPEG of images of a split; smaller images keep their size.

    Args:
        folders: The data set.
        split: The split.
        names: Number -> ``<class>/<file name>``.

    Raises:
        DataError: If the split lacks an image, or an image cannot be read.
    """
    images = list_images(folders, split)
    places = {path: place for place, path in enumerate(images.paths)}
    missing = [name for name in names.values() if name not in places]
    if missing:
        raise DataError(
            f"expected image {missing[0]} in split '{split}' of {images.folder}, found none of that name; "
            "name the folder of the data that was evaluated"
        )
    for number, name in names.items():
        yield number, to_jpeg(images.decode(places[name]))


def to_jpeg(image: Image.Image) -> bytes:
    """Return a small JPEG of an RGB image, in its own proportions."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
