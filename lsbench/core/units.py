"""What each metric is called, measured in, and whether more of it is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A measured quantity.

    Attributes:
        name: The metric's name in records.
        unit: Unit inside records: SI or a fraction; any other unit is part of the name.
        higher_is_better: Direction; None where neither is better.
        title: Column header for people.
        scale: Factor from the stored value to the shown one (0.714 -> 71.4 %).
        digits: Decimals shown.
    """

    name: str
    unit: str
    higher_is_better: bool | None
    title: str
    scale: float = 1.0
    digits: int = 2


_ALL = (
    Quantity("top1", "fraction", True, "top-1 (%)", 100.0),
    Quantity("top5", "fraction", True, "top-5 (%)", 100.0),
    Quantity("loss", "nat", False, "loss", 1.0, 4),
    Quantity("val_top1", "fraction", True, "val top-1 (%)", 100.0),
    Quantity("train_loss", "nat", False, "train loss", 1.0, 4),
    Quantity("params", "count", False, "params (M)", 1e-6, 3),
    Quantity("macs", "MAC", False, "FLOPs (G), 1 MAC = 1 FLOP", 1e-9, 4),
    Quantity("latency_ms", "ms", False, "latency (ms)", 1.0, 2),
    Quantity("throughput", "image/s", True, "throughput (img/s)", 1.0, 0),
)
QUANTITIES = {quantity.name: quantity for quantity in _ALL}


def quantity(name: str) -> Quantity:
    """Return the quantity called `name`; an unknown name gives one without unit or direction."""
    return QUANTITIES.get(name, Quantity(name, "", None, name))


def from_duration(seconds: float) -> str:
    """Return a duration for people.

    >>> [from_duration(s) for s in (0.42, 61, 7322)]
    ['0.4 s', '1 min 01 s', '2 h 02 min']
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
