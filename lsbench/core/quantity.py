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
        depends_on_machine: Whether numbers from two machines are no comparison.
        short_title: Column header of narrow tables; empty: the title.
        is_headline: Whether it has a column in the main table, not only among the further measurements.
        is_compared: Whether a column of differences to the baseline stands beside it.
        is_per_image: Whether each single image has a value, so that two models are compared image by image.
    """

    name: str
    unit: str
    higher_is_better: bool | None
    title: str
    scale: float = 1.0
    digits: int = 2
    depends_on_machine: bool = False
    short_title: str = ""
    is_headline: bool = False
    is_compared: bool = False
    is_per_image: bool = False


def _percent(name: str, what: str) -> Quantity:
    return Quantity(name, "fraction", True, f"{what} (%)", 100.0)


def _area(percent: int) -> Quantity:
    return Quantity(f"erf_area_{percent}", "fraction", None, f"ERF area of {percent} % (%)", 100.0, 1)


_ALL = (
    Quantity("top1", "fraction", True, "top-1 (%)", 100.0),
    Quantity("top5", "fraction", True, "top-5 (%)", 100.0),
    Quantity("loss", "nat", False, "loss", 1.0, 4),
    Quantity("val_top1", "fraction", True, "val top-1 (%)", 100.0),
    Quantity("train_loss", "nat", False, "train loss", 1.0, 4),
    _percent("best_val_top1", "best val top-1"),
    _percent("ema_val_top1", "EMA val top-1"),
    Quantity("lr", "", None, "learning rate", 1.0, 6),
    Quantity("epochs", "count", None, "epochs", 1.0, 0),
    Quantity("data_wait_frac", "fraction", False, "waiting for data (%)", 100.0, 1, depends_on_machine=True),
    Quantity("params", "count", False, "params (M)", 1e-6, 3),
    Quantity("macs", "MAC", False, "FLOPs (G), 1 MAC = 1 FLOP", 1e-9, 4),
    Quantity("macs_paper", "MAC", False, "FLOPs (G), as the paper counts: fused", 1e-9, 4),
    Quantity("uncounted_ops", "count", False, "operator calls not counted", 1.0, 0),
    Quantity("latency_ms", "ms", False, "latency (ms)", 1.0, 2, depends_on_machine=True),
    Quantity("latency_p90_ms", "ms", False, "latency, 90th percentile (ms)", depends_on_machine=True),
    Quantity("latency_p99_ms", "ms", False, "latency, 99th percentile (ms)", depends_on_machine=True),
    Quantity("throughput", "image/s", True, "throughput (img/s)", 1.0, 0, depends_on_machine=True),
    Quantity("latency_ratio", "ratio", False, "latency / control", 1.0, 3),
    Quantity("throughput_ratio", "ratio", True, "throughput / control", 1.0, 3),
    Quantity("peak_memory_mib", "MiB", False, "peak memory (MiB)", 1.0, 0, depends_on_machine=True),
    Quantity(
        "peak_device_memory_mib", "MiB", False, "peak GPU memory (MiB)", 1.0, 0, depends_on_machine=True
    ),
    Quantity("energy_per_image_j", "J", False, "energy per image (J)", 1.0, 4, depends_on_machine=True),
    Quantity("mce", "ratio", False, "mCE (reference = 100)", 100.0),
    Quantity("relative_mce", "ratio", False, "relative mCE (reference = 100)", 100.0),
    Quantity("ce", "ratio", False, "CE (reference = 100)", 100.0),
    Quantity("relative_ce", "ratio", False, "relative CE (reference = 100)", 100.0),
    Quantity("corruption_error", "fraction", False, "mean corruption error (%)", 100.0),
    Quantity("clean_error", "fraction", False, "clean error (%)", 100.0),
    Quantity("ece", "fraction", False, "ECE (%)", 100.0),
    _percent("fgsm_top1", "FGSM top-1"),
    _percent("pgd_top1", "PGD top-1"),
    _percent("imagenet_a_top1", "ImageNet-A top-1"),
    _percent("imagenet_r_top1", "ImageNet-R top-1"),
    _percent("imagenet_sketch_top1", "ImageNet-Sketch top-1"),
    _percent("retinanet_ap", "RetinaNet AP"),
    _percent("retinanet_ap50", "RetinaNet AP50"),
    _percent("retinanet_ap75", "RetinaNet AP75"),
    _percent("retinanet_ap_small", "RetinaNet AP small"),
    _percent("retinanet_ap_medium", "RetinaNet AP medium"),
    _percent("retinanet_ap_large", "RetinaNet AP large"),
    _percent("maskrcnn_ap_box", "Mask R-CNN box AP"),
    _percent("maskrcnn_ap50_box", "Mask R-CNN box AP50"),
    _percent("maskrcnn_ap75_box", "Mask R-CNN box AP75"),
    _percent("maskrcnn_ap_mask", "Mask R-CNN mask AP"),
    _percent("maskrcnn_ap50_mask", "Mask R-CNN mask AP50"),
    _percent("maskrcnn_ap75_mask", "Mask R-CNN mask AP75"),
    _percent("miou", "mIoU"),
    _area(20),
    _area(30),
    _area(50),
    _area(99),
    Quantity("aggregation_entropy", "ratio", None, "aggregation entropy / largest", 1.0, 3),
    Quantity("aggregation_overlap", "fraction", None, "aggregation on the object (%)", 100.0, 1),
    Quantity("object_area", "fraction", None, "area of the object (%)", 100.0, 1),
    Quantity("lkp_map_entropy", "ratio", None, "LKP map entropy / largest", 1.0, 3),
    Quantity("ska_map_entropy", "ratio", None, "SKA map entropy / largest", 1.0, 3),
    Quantity("fourier_high_frequency", "nat", None, "log amplitude at the highest frequency", 1.0, 2),
    Quantity("fourier_gain", "nat", None, "mixers' gain at the highest frequency", 1.0, 2),
    Quantity("cka_mean", "ratio", None, "CKA, all pairs of layers", 1.0, 3),
    Quantity("cka_same_depth", "ratio", None, "CKA, layers of the same depth", 1.0, 3),
)
QUANTITIES = {quantity.name: quantity for quantity in _ALL}


def quantity(name: str) -> Quantity:
    """Return the quantity called `name`; an unknown name gives one without unit or direction."""
    return QUANTITIES.get(name, Quantity(name, "", None, name))


def published_text(shown: Quantity, value: float) -> str:
    """Return a published value for people, without digits that its source does not give.

    >>> [published_text(quantity("top1"), share) for share in (0.716, 0.75)]
    ['71.6', '75.0']
    >>> published_text(quantity("macs"), 3.1e8), published_text(quantity("throughput"), 14708)
    ('0.31', '14708')
    """
    whole, point, decimals = f"{value * shown.scale:.{shown.digits}f}".partition(".")
    return f"{whole}{point}{decimals[:1]}{decimals[1:].rstrip('0')}"


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
