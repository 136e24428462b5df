"""The size of the images that a model is counted and timed on: a square's side, or height and width."""

from __future__ import annotations

from typing import Any, TypeAlias

#: Side of square images, or height and width, pixels.
ImageSize: TypeAlias = int | tuple[int, int]


def height_and_width(size: ImageSize) -> tuple[int, int]:
    """Return height and width in pixels.

    >>> height_and_width(224), height_and_width((800, 1344))
    ((224, 224), (800, 1344))
    """
    return (size, size) if isinstance(size, int) else size


def size_text(size: ImageSize) -> str:
    """Return a size for display.

    >>> size_text(224), size_text((800, 1344))
    ('224', '800x1344')
    """
    return "x".join(map(str, (size,) if isinstance(size, int) else size))


def size_facets(size: ImageSize) -> dict[str, Any]:
    """Return the facets that tell a size: ``res`` of squares, else ``padded``, as height x width.

    >>> size_facets(224), size_facets((800, 1344))
    ({'res': 224}, {'more': {'padded': '800x1344'}})
    """
    return {"res": size} if isinstance(size, int) else {"more": {"padded": size_text(size)}}
