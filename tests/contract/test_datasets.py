"""Every registered data set keeps the promises of its kind.

A new data set is covered at once if it needs nothing but its defaults. One that reads the user's disk
is listed in `ON_DISK` with what writes a tiny copy of it, and is run with every reader that it can be in.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.core.registry import DATASETS
from lsbench.data.detection.coco import COCO_IDS, COCO_LAYOUT, COCO_NAMES
from lsbench.data.detection.files import Layout
from lsbench.data.imagenet.ilsvrc import class_list, ilsvrc_wnids
from lsbench.testing.test_dataset import *  # noqa: F403 - every promise is tested here

SMALL = {"train_images": 20, "val_images": 10, "test_images": 10, "images_per_class": 10}


def write_classes(place: Path, names: Iterable[str], blue: int, file: str) -> None:
    """Write one picture of a colour of its own into each class folder."""
    for number, name in enumerate(names):
        (place / name).mkdir(parents=True)
        Image.new("RGB", (4, 4), (number % 256, number // 256, blue)).save(place / name / file, "PNG")


def write_own(root: Path) -> None:
    for split, blue in (("train", 9), ("val", 7)):
        write_classes(root / split, ("cat", "dog"), blue, f"{split}.png")


def write_imagenet(root: Path) -> None:
    for split, blue in (("train", 9), ("val", 7)):
        write_classes(root / split, ilsvrc_wnids(), blue, f"{split}.png")


def write_validation(root: Path) -> None:
    write_classes(root / "val", ilsvrc_wnids(), 5, "ILSVRC2012_val_00000002.JPEG")


def write_conditions(root: Path) -> None:
    for severity in (1, 2):
        write_classes(root / "fog" / str(severity), ilsvrc_wnids(), severity, "0.JPEG")


def write_boxes(root: Path, layout: Layout, categories: Mapping[int, str]) -> None:
    """Write an image with one object and an empty one for each split, with colours of their own."""
    for number, split in enumerate(("train", "val")):
        file, folder = layout.places(root, split)
        file.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True)
        for key in (4, 9):
            Image.new("RGB", (40, 48), (key, number, 0)).save(folder / f"{key}.png")
        box = {"id": 1, "image_id": 9, "category_id": max(categories), "bbox": [2, 3, 20, 30]}
        content = {
            "images": [{"id": key, "file_name": f"{key}.png", "height": 48, "width": 40} for key in (4, 9)],
            "annotations": [box],
            "categories": [{"id": key, "name": name} for key, name in categories.items()],
        }
        file.write_text(json.dumps(content))


def write_label_maps(root: Path, words: tuple[str, str]) -> None:
    for number, word in enumerate(words):
        for kind in ("images", "annotations"):
            (root / kind / word).mkdir(parents=True)
        Image.new("RGB", (40, 48), (0, number, 9)).save(root / "images" / word / "a.jpg")
        Image.fromarray(np.ones((48, 40), np.uint8)).save(root / "annotations" / word / "a.png")


ON_DISK: dict[str, Callable[[Path], None]] = {
    "ade20k": lambda root: write_label_maps(root, ("training", "validation")),
    "coco": lambda root: write_boxes(root, COCO_LAYOUT, dict(zip(COCO_IDS, COCO_NAMES, strict=True))),
    "coco_json": lambda root: write_boxes(
        root, Layout("annotations/<split>.json", "<split>"), {7: "cat", 9: "dog"}
    ),
    "image_folder": write_own,
    "imagenet": write_imagenet,
    "imagenet_a": lambda root: write_classes(root, class_list("imagenet_a_synsets.txt"), 1, "0.jpg"),
    "imagenet_c": write_conditions,
    "imagenet_r": lambda root: write_classes(root, class_list("imagenet_r_synsets.txt"), 1, "0.jpg"),
    "imagenet_real": write_validation,
    "imagenet_sketch": lambda root: write_classes(root, ilsvrc_wnids(), 1, "0.JPEG"),
    "imagenet_v2": lambda root: write_classes(root, map(str, range(1000)), 1, "0.jpeg"),
    "semantic_png": lambda root: write_label_maps(root, ("train", "val")),
}
#: Settings that a data set cannot do without.
REQUIRED = {"semantic_png": {"classes": ("sky", "ground")}}
READERS = ("folder", "wds", "hfds")


def readers_of(name: str) -> tuple[str | None, ...]:
    """Return the storages that a data set is tried in, or None where it has no choice.

    ImageNet-ReaL reads what ImageNet reads, which is tried in all of them.
    """
    has_choice = "reader" in DATASETS.load(name).spec.model_fields
    return READERS if has_choice and name != "imagenet_real" else (None,)


def cases():
    for name in DATASETS.own_names():
        for reader in readers_of(name):
            yield pytest.param((name, reader), id=name if reader is None else f"{name}-{reader}")


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """The class folders of each data set in `ON_DISK`, written once."""
    roots = {name: tmp_path_factory.mktemp(name) for name in ON_DISK}
    for name, root in roots.items():
        ON_DISK[name](root)
    return roots


@pytest.fixture(params=cases())
def case(request, tmp_path, sources, store_images):
    """A plug-in, a spec of it that is quick to prepare, and the data root."""
    name, reader = request.param
    plugin = DATASETS.load(name)
    options = {field: n for field, n in SMALL.items() if field in plugin.spec.model_fields}
    options |= REQUIRED.get(name, {})
    if name in ON_DISK:
        options["root"] = sources[name]
    if reader is not None:
        options["reader"] = reader
        options["root"] = store_images(sources[name], tmp_path / "data" / "own", reader)
    return plugin, plugin.spec(**options), tmp_path / "data"


@pytest.mark.parametrize(("name", "reader"), [(name, r) for name in ON_DISK for r in readers_of(name)])
def test_missing_data_is_one_clear_line(name, reader, tmp_path):
    plugin = DATASETS.load(name)
    options = REQUIRED.get(name, {}) | ({} if reader is None else {"reader": reader})
    spec = plugin.spec(root=tmp_path / "nowhere", **options)
    for call in (plugin.fingerprint, plugin.prepare):
        with pytest.raises(DataError) as caught:
            call(spec, None)
        message = str(caught.value)
        assert "\n" not in message
        assert "expected" in message
        assert str(tmp_path / "nowhere") in message


@pytest.mark.parametrize("reader", READERS)
def test_planning_with_other_storage_imports_no_torch(sources, tmp_path, store_images, reader):
    root = store_images(sources["image_folder"], tmp_path / "own", reader)
    code = (
        "import sys; from lsbench.core.registry import DATASETS as D; p = D.load('image_folder'); "
        f"s = p.spec(root={str(root)!r}, reader={reader!r}); p.fingerprint(s, None); p.num_classes(s); "
        "print(*{'torch', 'torchvision', 'timm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_planning_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from lsbench.core.registry import DATASETS as D; "
        "p = [D.load(n) for n in D.names()]; "
        "D.load('fashion').fingerprint(D.load('fashion').spec(), None); "
        "print(*{'torch', 'torchvision', 'timm', 'numpy', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
