"""Detection and segmentation: the quantities of published results."""

from __future__ import annotations

from typing import Any

from lsbench.core.quantity import Quantity, percentage


def _average_precision(name: str, detector: str, what: str, **more: Any) -> Quantity:
    """Return the quantity of a detector's average precision under its published name."""
    return percentage(name, f"{detector} {what}", short_title=f"{what} (%)", **more)


QUANTITIES = (
    _average_precision("retinanet_ap", "RetinaNet", "AP", is_headline=True),
    _average_precision("retinanet_ap50", "RetinaNet", "AP50"),
    _average_precision("retinanet_ap75", "RetinaNet", "AP75"),
    _average_precision("retinanet_ap_small", "RetinaNet", "AP small"),
    _average_precision("retinanet_ap_medium", "RetinaNet", "AP medium"),
    _average_precision("retinanet_ap_large", "RetinaNet", "AP large"),
    _average_precision("maskrcnn_ap_box", "Mask R-CNN", "box AP", is_headline=True),
    _average_precision("maskrcnn_ap50_box", "Mask R-CNN", "box AP50"),
    _average_precision("maskrcnn_ap75_box", "Mask R-CNN", "box AP75"),
    _average_precision("maskrcnn_ap_mask", "Mask R-CNN", "mask AP"),
    _average_precision("maskrcnn_ap50_mask", "Mask R-CNN", "mask AP50"),
    _average_precision("maskrcnn_ap75_mask", "Mask R-CNN", "mask AP75"),
    percentage("miou", "mIoU", is_headline=True),
)
