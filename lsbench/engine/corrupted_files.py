"""Image files that are corrupted as they are read, in the size of their files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lsbench import corruptions
from lsbench.core.errors import DataError
from lsbench.data.loading.image_files import ImageFiles


@dataclass(frozen=True)
class CorruptedFiles(ImageFiles):
    """Images under one corruption: a function of the image's path, corruption and severity alone.

    Attributes:
        corruption: One of :func:`lsbench.corruptions.all_names`.
        severity: 1 to 5.
        family: The implementation, one of :data:`lsbench.corruptions.FAMILIES`.
    """

    corruption: str
    severity: int
    family: str

    @classmethod
    def of(cls, files: ImageFiles, corruption: str, severity: int, family: str) -> CorruptedFiles:
        """Return the same images, corrupted."""
        return cls(files.folder, files.paths, corruption, severity, family)

    def decode(self, index: int) -> Image.Image:
        """Return a corrupted image as RGB, of the size of its file.

        Raises:
            DataError: If the file is missing, no readable image, or too small to be corrupted.
        """
        clean = np.array(super().decode(index))
        rng = corruptions.image_rng(self.paths[index], self.corruption, self.severity)
        try:
            found = corruptions.corrupt(clean, self.corruption, self.severity, rng=rng, family=self.family)
        except DataError as error:
            raise DataError(f"{self.folder / self.paths[index]}: {error}") from error
        return Image.fromarray(found)
