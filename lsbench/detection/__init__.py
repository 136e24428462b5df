"""Detection and segmentation: the quantities of results, measured and published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsbench.core.quantity import Quantity, percentage
from lsbench.detection.settings import SHORT_TITLES, TITLES, Task
from lsbench.metrics.detection.numbers import NUMBERS, Region


def metric_name(detector: str, number: str, region: Region | None = None) -> str:
    """Return the name of one of COCO's numbers of a detector; detectors with masks name the region.

    >>> metric_name("retinanet", "ap50"), metric_name("maskrcnn", "ap", "mask")
    ('retinanet_ap50', 'maskrcnn_ap_mask')
    """
    return "_".join(filter(None, (detector, number, region)))


def _numbers(detector: Task, regions: Sequence[Region | None]) -> Iterator[Quantity]:
    """Yield the quantities of a detector; the average precision of its first region is a headline."""
    for region in regions:
        for number in NUMBERS:
            what = f"{region or ''} {number[:2].upper()}{number[2:].replace('_', ' ')}".strip()
            yield percentage(
                metric_name(detector, number, region),
                f"{TITLES[detector]} {what}",
                short_title=f"{what} (%)",
                is_headline=number == "ap" and region == regions[0],
                is_compared=number == "ap" and region == regions[0],
                is_resampled=number.startswith("ap"),
            )


def _robust(model: Task, region: Region | None = None) -> Iterator[Quantity]:
    """Yield the mean performance under corruption, and that relative to the one without."""
    for number, what in (("mpc", "mPC"), ("rpc", "rPC")):
        words = " ".join(filter(None, (region, what)))
        yield percentage(
            metric_name(model, number, region),
            f"{TITLES[model]} {words}",
            short_title=f"{SHORT_TITLES[model]} {words} (%)",
            is_headline=True,
            is_compared=number == "mpc",
            is_resampled=True,
            hole="withheld",
        )


QUANTITIES = (
    *_numbers("retinanet", (None,)),
    *_numbers("maskrcnn", ("box", "mask")),
    percentage("miou", "mIoU", is_headline=True, is_compared=True, is_resampled=True),
    percentage("pixel_accuracy", "pixel accuracy", is_resampled=True),
    percentage(
        "mean_accuracy", "mean accuracy of classes", short_title="mean accuracy (%)", is_resampled=True
    ),
    *_robust("retinanet"),
    *_robust("maskrcnn", "box"),
    *_robust("maskrcnn", "mask"),
    *_robust("semantic_fpn"),
)
