"""Numbers of things in plain English: "1 image", "2 images"."""

from __future__ import annotations


def counted(number: float, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    Args:
        number: How many.
        one: What follows the number 1.
        many: What follows any other number; default: `one` with the regular plural of its last word.

    >>> counted(1, "GPU"), counted(0.5, "GPU"), counted(2, "class"), counted(3, "entry")
    ('1 GPU', '0.5 GPUs', '2 classes', '3 entries')
    >>> counted(1, "image is", "images are")
    '1 image is'
    """
    shown = f"{number:g}" if isinstance(number, float) else f"{number}"
    if number == 1:
        return f"{shown} {one}"
    return f"{shown} {_plural(one) if many is None else many}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "tch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
