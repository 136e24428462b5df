"""Class folders as published archives have them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def write_classes(tmp_path: Path) -> Callable[..., Path]:
    """Write ``<place>/<class>/<images>`` and return what `place` is relative to.

    An image's colour says which class of the list it is of: 256 * red + green.
    """

    def write(place: str, classes: Sequence[str], files: Sequence[str] = ("0.png",)) -> Path:
        for number, name in enumerate(classes):
            folder = tmp_path / "data" / place / name
            folder.mkdir(parents=True)
            for file in files:
                colour = (number // 256, number % 256, 0)
                Image.new("RGB", (4, 4), colour).save(folder / file, "PNG", compress_level=0)
        return tmp_path / "data"

    return write
