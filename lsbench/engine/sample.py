"""A few images of a data set for analyses, with the masks of their objects if known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsbench.data.loading.loader import create_eval_loader
from lsbench.data.loading.preprocessing import Preprocessing
from lsbench.engine.open_data import OpenData


@dataclass(frozen=True)
class Sample:
    """Images, normalised for models and in RGB for display.

    Attributes:
        images: Normalised, shape (N, 3, H, W).
        pictures: RGB in [0, 1], shape (N, H, W, 3).
        masks: Pixels of the object, shape (N, H, W); None if the data set does not know them.
        paths: ``<class>/<file name>`` of each.
    """

    images: Tensor
    pictures: NDArray[np.float32]
    masks: NDArray[np.bool_] | None
    paths: tuple[str, ...]


def read_sample(data: OpenData, split: str, num_images: int, made: Preprocessing | None = None) -> Sample:
    """Return `num_images` of a split, or all if it has fewer, evenly spaced over its sorted list.

    Args:
        data: The data set.
        split: One of its splits.
        num_images: Image count.
        made: How the model's input is made of the images; None: as the data set's is. Masks are of that way.

    Raises:
        DataError: If the data is missing.
    """
    data.require([split])
    folders = data.folders.at_most(num_images)
    batches = create_eval_loader(
        folders,
        split=split,
        img_size=data.img_size,
        batch_size=num_images,
        in_memory=data.plugin.in_memory,
        preprocessing=made,
    )
    images = torch.cat([found for found, _ in batches])
    used = made or folders
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (used.mean, used.std))
    pictures = (images * std + mean).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    paths = tuple(batches.paths)
    masks = None if folders.masks is None or made is not None else folders.masks(split, paths)
    return Sample(images, pictures, masks, paths)
