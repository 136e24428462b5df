"""Time of every analysis on LSNet-T, -S and -B at 224 px, and on the embedded model at 48 px.

Run: ``python benchmarks/analyses.py [--images 50] [--threads N] [--models lsnet_t ...]``. Weights are random,
since they do not affect the cost. The time covers everything from images in memory to files on disk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from lsbench.analyses import Subject
from lsbench.core.registry import ANALYSES
from lsbench.jobs.analyze import write_findings
from lsbench.models.factory import create_model

SIZES = {"lsnet_nano": 48, "lsnet_t": 224, "lsnet_s": 224, "lsnet_b": 224}


def seconds(kind: str, model: str, images: int) -> float:
    """Return the seconds of one analysis of one model."""
    size = SIZES[model]
    torch.manual_seed(0)
    built = create_model(model, num_classes=1000, img_size=size).eval()
    pictures = np.random.default_rng(0).random((images, size, size, 3), dtype=np.float32)
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2) - 0.5
    masks = np.ones((images, size, size), dtype=bool)
    analysis = ANALYSES.load(kind)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        found = analysis.analyse(Subject(built, batch, pictures, masks))
        write_findings(Path(folder), kind, model, analysis, found)
        return time.perf_counter() - started


def main() -> None:
    """Print one row per model with the seconds of each analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--models", nargs="+", choices=SIZES, default=list(SIZES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.images} images, {options.threads} CPU threads, seconds")
    print(f"{'':12s}" + "".join(f"{kind:>15s}" for kind in ANALYSES.names()))
    for model in options.models:
        row = [seconds(kind, model, options.images) for kind in ANALYSES.names()]
        print(f"{model:12s}" + "".join(f"{value:15.1f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
