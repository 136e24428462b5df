"""Checks of a token mixer's options, one line per error, before a layer fails with a less clear one."""

from __future__ import annotations


def check_odd_kernel(name: str, value: object) -> int:
    """Return `value` if it is an odd kernel size.

    Raises:
        ValueError: If it is not an odd positive integer.
    """
    size = check_positive(name, value)
    if size % 2 == 0:
        raise ValueError(f"{name} must be odd, got {size}")
    return size


def check_positive(name: str, value: object) -> int:
    """Return `value` if it is a positive integer.

    Raises:
        ValueError: If it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive whole number, got {value!r}")
    return value


def count_groups(dim: int, channels_per_group: object) -> int:
    """Return the number of groups of `channels_per_group` channels in `dim`.

    Raises:
        ValueError: If the channels do not divide evenly.
    """
    size = check_positive("channels_per_group", channels_per_group)
    if dim % size:
        raise ValueError(f"channels_per_group {size} does not divide the {dim} channels of a stage")
    return dim // size
