"""COCO and ADE20K at full scale, a step of each, on generated folders in the published layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsbench.data.detection.coco import COCO_IDS, COCO_NAMES
from lsbench.data.segmentation.ade import ADE_FOLDER

from .conftest import Cli, read_lines

#: Height and width of the images of each split.
SIZES = ((48, 64), (64, 48), (40, 80), (56, 56))
#: Sparse ids of the objects: of the first, a middle and the last category.
CATEGORIES = (1, 13, 90)


def write_coco(root: Path) -> None:
    """Write objects of three categories, a crowd, and an image without objects for each split."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        folder = root / f"{split}2017"
        folder.mkdir(parents=True)
        images, objects = [], []
        for key, (height, width) in enumerate(SIZES, 100):
            name = f"{key:012d}.jpg"
            Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(folder / name)
            images.append({"id": key, "file_name": name, "height": height, "width": width})
            if key > 100:
                objects += [one_object(len(objects) + place, key, place) for place in range(3)]
        height, width = SIZES[1]
        runs = {"size": [height, width], "counts": [0, height * 4, height * (width - 4)]}
        crowd = {"bbox": [0, 0, 4, height], "area": 4 * height, "iscrowd": 1, "segmentation": runs}
        objects.append({**objects[0], "id": 99, **crowd})
        content = {"images": images, "annotations": objects, "categories": categories()}
        file = root / "annotations" / f"instances_{split}2017.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))


def categories() -> list[dict[str, Any]]:
    return [{"id": key, "name": name} for key, name in zip(COCO_IDS, COCO_NAMES, strict=True)]


def one_object(key: int, image: int, place: int) -> dict[str, Any]:
    x, y, width, height = 4 + 10 * place, 5 + 3 * place, 18, 20
    outline = [x, y, x + width, y, x + width, y + height, x, y + height]
    box = {"bbox": [x, y, width, height], "area": width * height, "segmentation": [outline]}
    return {"id": key, "image_id": image, "category_id": CATEGORIES[place], "iscrowd": 0, **box}


def write_ade(root: Path) -> None:
    """Write label maps with the first and last class, unlabelled pixels, and one map without any label."""
    rng = np.random.default_rng(1)
    for split in ("training", "validation"):
        images, label_maps = root / "images" / split, root / "annotations" / split
        for folder in (images, label_maps):
            folder.mkdir(parents=True)
        for number, (height, width) in enumerate(SIZES):
            pixels = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / f"ADE_{number:08d}.jpg")
            labels = np.zeros((height, width), np.uint8)
            if number:
                labels[: height // 2], labels[height // 2 :, : width // 2] = 1, 150
            Image.fromarray(labels).save(label_maps / f"ADE_{number:08d}.png")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO and ADE20K in the published layouts."""
    root = tmp_path_factory.mktemp("data")
    write_coco(root / "coco")
    write_ade(root / ADE_FOLDER)
    return root


#: Images of a quarter of the published sides and small heads; nothing else is changed.
DETECTORS = (
    *("batch_size=4", "device_batch_size=2", "dataset={name: coco, img_size: 160, max_size: 267}"),
    *("backbone_weights=none", "epochs=1", "data_workers=0"),
)
SEGMENTER = (
    *("batch_size=4", "dataset={name: ade20k, img_size: 128, max_size: 512}", "crop=128"),
    *("backbone_weights=none", "data_workers=0"),
)


def run(cli: Cli, data_root: Path, suite: str, row: str, settings: dict[str, tuple[str, ...]]) -> Path:
    """Run jobs on a row of a suite with a limit of one step; return its folder of results."""
    only = [word for job in settings for word in ("--only", f"{row}/{job}")]
    sets = [f"jobs.{job}.{one}" for job, changes in settings.items() for one in changes]
    words = [word for text in sets for word in ("--set", text)]
    told = ("--limit", "1", "--scheduler", "inline", "--data", str(data_root))
    done = cli.run("run", suite, *told, *only, *words)
    assert done.returncode == 0, done.stderr
    return next((cli.folder / "results").glob("*/*/records.jsonl")).parent


def whole(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of whole tests by metric."""
    found = read_lines(folder / "records.jsonl")
    return {one["metric"]: one for one in found if not {"epoch", "category"} & one["facets"].keys()}


@pytest.mark.slow
def test_a_row_of_table_2_is_trained_and_tested_on_cocos_layout(cli: Cli, data_root: Path) -> None:
    settings = {"retinanet": DETECTORS, "maskrcnn": DETECTORS}

    folder = run(cli, data_root, "paper/table2", "lsnet_t", settings)

    found = whole(folder)
    for metric in ("retinanet_ap", "maskrcnn_ap_box", "maskrcnn_ap_mask"):
        assert (found[metric]["n"], found[metric]["dataset"]) == (4, "coco")
        assert 0 <= found[metric]["value"] <= 1
    parts = [one for one in read_lines(folder / "records.jsonl") if "category" in one["facets"]]
    assert len({one["facets"]["category"] for one in parts}) == 80
    measured = {one["facets"]["category"] for one in parts if one["value"] is not None}
    assert measured == {"person", "stop sign", "toothbrush"}
    lines = cli.run("verify").stdout.splitlines()
    of_s = [" ".join(line.split()) for line in lines if "LSNet-S" in line and "RetinaNet AP (" in line]
    assert len(of_s) == 2
    assert "36.7" in of_s[0]
    assert "36.5" in of_s[1]


@pytest.mark.slow
def test_a_row_of_table_3_is_trained_and_tested_on_ade20ks_layout(cli: Cli, data_root: Path) -> None:
    folder = run(cli, data_root, "paper/table3", "lsnet_t", {"segment": SEGMENTER})

    found = whole(folder)
    assert {"miou", "pixel_accuracy", "mean_accuracy"} <= found.keys()
    assert (found["miou"]["n"], found["miou"]["dataset"]) == (4, "ade20k")
