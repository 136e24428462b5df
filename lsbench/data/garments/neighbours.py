"""The frozen reference model of the embedded garments: the five nearest training photos vote.

It has nothing to train or tune, so everything defined by its errors (hard examples, reference errors of
corruptions) never changes. Grey values are halved first: a dot product of two images of up to 32x32 pixels is
then a whole number below 2**24, which float32 holds exactly in any order of summation, so every machine finds
the same neighbours.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsbench.data.garments import pack

NAME = "knn5"
NEIGHBOURS = 5
LARGEST_SIDE = 32
_ROWS = 1000  # images compared at a time: 36 MB of similarities


def resize_photos(photos: NDArray[np.uint8], img_size: int) -> NDArray[np.uint8]:
    """Return grey photos at the size that a model sees, shape ``(N, img_size, img_size)``.

    Args:
        photos: uint8, shape ``(N, H, W)``.
        img_size: Side of the images, pixels; resized like data sets kept in memory.
    """
    if photos.shape[1:] == (img_size, img_size):
        return photos
    size = (img_size, img_size)
    resized = [np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC)) for photo in photos]
    return np.stack(resized)


def count_votes(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the class counts of the five nearest training photos, shape ``(N, 10)``.

    Near means a large cosine between grey values; ties go to the first photo. The class of an image is the
    one with most votes (ties go to the first), see :func:`predict`.

    Args:
        images: Grey images, uint8, shape ``(N, S, S)`` with S up to 32; compared with training photos
            resized to S.

    Raises:
        ValueError: If the images are not square, or larger than 32 pixels.
    """
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.shape[1] > LARGEST_SIDE:
        raise ValueError(
            f"expected square grey images of up to {LARGEST_SIDE} pixels, (N, S, S), found {images.shape}"
        )
    known, lengths, labels = _training_photos(images.shape[1])
    asked = _halved(images)
    votes = np.zeros((len(images), 10), dtype=np.int64)
    for first in range(0, len(images), _ROWS):
        rows = asked[first : first + _ROWS]
        # The length of the image itself is the same for all its neighbours.
        nearness = (rows @ known.T) / lengths
        nearest = _largest(nearness, NEIGHBOURS)
        np.add.at(votes, (first + np.arange(len(rows))[:, None], labels[nearest]), 1)
    return votes


def predict(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the reference's class of each image, shape ``(N,)``; `images` as in :func:`count_votes`."""
    classes: NDArray[np.int64] = np.argmax(count_votes(images), axis=1)
    return classes


@lru_cache(maxsize=2)
def _training_photos(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Return the training photos as rows, their lengths and their labels."""
    train = pack.read_pack()["train"]
    rows = _halved(resize_photos(train.images, side))
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return rows, np.sqrt(squares).astype(np.float32), train.labels


def _halved(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (images >> 1).reshape(len(images), -1).astype(np.float32)


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the columns of the `count` largest values of each row; ties go to the first."""
    border = -np.partition(-values, count - 1, axis=1)[:, count - 1 : count]
    is_candidate = values >= border
    found = np.empty((len(values), count), dtype=np.int64)
    for row, (candidates, row_values) in enumerate(zip(is_candidate, values, strict=True)):
        columns = np.flatnonzero(candidates)
        found[row] = columns[np.argsort(-row_values[columns], kind="stable")[:count]]
    return found
