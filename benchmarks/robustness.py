"""Cost of a live robustness pass compared with its parts: corruptions, JPEG round trips and inference.

All four take turns, block by block of the same images, in one process on one core, in processor time: the
job's pass (decode, crop, 75 views through JPEG, normalised batches, predictions stored in files), and each
part alone on in-memory results of the others. Inference includes the clean images. Photos are crops of
scikit-image's, written as JPEG files of 500 x 375 pixels. The default model is very light, so that the
overhead of the pass weighs most.

    python benchmarks/robustness.py [--images 500] [--model mobilenetv3_small_050] [--img-size 224]

With ``--workers`` nothing else is measured: the pass takes turns with different numbers of loader processes,
in elapsed time on all cores, the model on one of them. The predictions are compared.

    python benchmarks/robustness.py --workers 0 1 2 --images 24 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from lsbench.corruptions import BENCHMARK, SEVERITIES, corrupt, image_rng
from lsbench.data.dataset import IMAGENET_MEAN, IMAGENET_STD, ImageFolders
from lsbench.data.loading.image_list import ImageList, list_images
from lsbench.data.loading.transforms import normalise
from lsbench.models.factory import create_model
from lsbench.robustness.blocks import PredictionBlocks, blocks_of
from lsbench.robustness.predict import Feed, predict_views
from lsbench.robustness.views import LiveSource, create_crop, jpeg_round_trip

CELLS = [(name, severity) for name in BENCHMARK for severity in SEVERITIES]
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
FAMILY, QUALITY = "original", 85
#: Returns the crop of an image, and its path.
Clean = Callable[[int], tuple[Any, str]]
PARTS = ("corruptions", "JPEG round trips", "inference")


def write_photos(root: Path, count: int) -> ImageList:
    """Write `count` different crops of photos as JPEG files and return their image list."""
    rng = np.random.default_rng(0)
    folder = root / "test" / "n0"
    folder.mkdir(parents=True)
    photos = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PHOTOS]
    for number in range(count):
        photo = photos[number % len(photos)]
        share = rng.uniform(0.6, 1.0)
        width, height = int(photo.width * share), int(photo.height * share)
        left, top = rng.integers(photo.width - width + 1), rng.integers(photo.height - height + 1)
        crop = photo.crop((left, top, left + width, top + height)).resize((500, 375))
        crop.save(folder / f"{number:05d}.jpg", quality=95)
    return list_images(ImageFolders(root, {"test": root / "test"}, ("n0",)), "test")


class Clock:
    """Adds up the processor time of this process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, what: str, work: Callable[[], Any]) -> Any:
        """Run `work`, add its time, and return its result."""
        started = time.process_time()
        found = work()
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - started
        return found


@torch.inference_mode()
def measure_block(
    clock: Clock, block: range, source: LiveSource, clean: list[Any], run: dict[str, Any]
) -> None:
    """Time the pass and its parts on one block.

    Args:
        clock: Collects the times.
        block: Indices of the images.
        source: Makes their views.
        clean: Their crops and paths.
        run: ``model``, ``feed`` and ``kept``.
    """
    model, feed = run["model"], run["feed"]
    clock.time("live", lambda: predict_views(model, source, [block], run["kept"], feed))
    corrupted = clock.time(
        "corruptions",
        lambda: [
            corrupt(image, name, severity, rng=image_rng(path, name, severity), family=FAMILY)
            for image, path in clean
            for name, severity in CELLS
        ],
    )
    out = [np.empty_like(image) for image in corrupted]

    def round_trips() -> None:
        for image, target in zip(corrupted, out, strict=True):
            jpeg_round_trip(image, QUALITY, target)

    clock.time("JPEG round trips", round_trips)
    pixels = torch.from_numpy(np.stack([image for image, _ in clean] + out)).permute(0, 3, 1, 2)
    layout = torch.channels_last if feed.channels_last else torch.contiguous_format
    batches = [
        normalise(part, feed.mean, feed.std).contiguous(memory_format=layout)
        for part in pixels.split(feed.batch_size)
    ]

    def infer() -> list[Tensor]:
        return [model(batch) for batch in batches]

    clock.time("inference", infer)


def measure(asked: argparse.Namespace, folder: Path) -> Clock:
    """Return the times of all blocks after the warm-up block, whose time is printed."""
    source, model, feed, clean_image = opened(asked, folder, asked.images + 1)
    run: dict[str, Any] = {"model": model, "feed": feed}
    run["kept"] = PredictionBlocks(folder / "cells", "benchmark", source.num_views)
    blocks = [range(asked.images, asked.images + 1), *blocks_of(asked.images)]
    clock = Clock()
    for number, block in enumerate(blocks):
        clean = [clean_image(index) for index in block]
        measure_block(clock, block, source, clean, run)
        if number == 0:
            print(f"the first image took {clock.seconds['live']:.1f} s, with loading or compiling the loops")
            clock = Clock()
    return clock


def opened(asked: argparse.Namespace, folder: Path, count: int) -> tuple[LiveSource, nn.Module, Feed, Clean]:
    """Return the source of views, the model, the settings of its feed, and a function for clean images."""
    images = write_photos(folder, count)
    crop = create_crop(asked.img_size, in_memory=False, interpolation=InterpolationMode.BILINEAR)
    source = LiveSource(images, crop, CELLS, family=FAMILY, jpeg_quality=QUALITY)
    feed = Feed(asked.batch_size, IMAGENET_MEAN, IMAGENET_STD, channels_last=asked.channels_last)
    layout = torch.channels_last if asked.channels_last else torch.contiguous_format
    model = create_model(asked.model, num_classes=1000, img_size=asked.img_size)

    def clean(index: int) -> tuple[Any, str]:
        return np.array(crop(images.decode(index))), images.paths[index]

    return source, model.eval().to(memory_format=layout), feed, clean


def compare_workers(asked: argparse.Namespace, folder: Path) -> None:
    """Print the elapsed time of the pass with each number of loader processes, and its ratio to the first."""
    source, model, feed, _ = opened(asked, folder, asked.images)
    views = asked.images * source.num_views
    seconds: dict[int, list[float]] = {count: [] for count in asked.workers}
    first: Any = None
    for number in range(asked.rounds + 1):
        for count in asked.workers:
            kept = PredictionBlocks(folder / f"{number}-{count}", "benchmark", source.num_views)
            started = time.perf_counter()
            found = predict_views(
                model, source, [range(asked.images)], kept, replace(feed, num_workers=count)
            )
            # The first round compiles, or reads, the loops.
            seconds[count] += [time.perf_counter() - started] if number else []
            first = found if first is None else first
            if not np.array_equal(found, first):
                raise RuntimeError(f"{count} workers: expected the same predictions")
    print(f"{asked.model}, {asked.images} images of {asked.img_size} px x {len(CELLS)} conditions")
    print(f"{'workers':<10} {'ms/view':>9} {'of that before':>16} {'range':>16}")
    for count, times in seconds.items():
        ratios = np.array(times) / np.array(seconds[asked.workers[0]])
        middle, ratio = 1000 * float(np.median(times)) / views, float(np.median(ratios))
        print(f"{count:<10} {middle:>9.3f} {ratio:>16.3f} {ratios.min():>8.3f} to {ratios.max():.3f}")


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--model", default="mobilenetv3_small_050")
    parser.add_argument("--img-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if asked.workers:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            compare_workers(asked, Path(folder))
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(asked, Path(folder)).seconds
    together = sum(seconds[part] for part in PARTS)
    variants = asked.images * (1 + len(CELLS))
    print(f"{asked.model}, {asked.images} images of {asked.img_size} px x {len(CELLS)} conditions, one core")
    print(f"{'':<18} {'s':>8} {'ms/view':>11} {'share':>7}")
    rows = {**{part: seconds[part] for part in PARTS}, "together": together, "live": seconds["live"]}
    for name, spent in rows.items():
        print(f"{name:<18} {spent:>8.1f} {1000 * spent / variants:>11.3f} {spent / together:>7.3f}")


if __name__ == "__main__":
    main()
