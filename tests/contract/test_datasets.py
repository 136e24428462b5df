"""Every registered data set keeps the promises of its kind.

A new data set is covered at once if it needs nothing but its defaults. One that reads the user's disk
is listed in `ON_DISK` with what makes a tiny copy of it.
"""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.core.registry import DATASETS
from lsbench.data.dataset import SPLITS, DatasetPlugin, DatasetSpec

SMALL = {"train_images": 20, "val_images": 10, "test_images": 10}


def write_folders(root: Path, wnids: tuple[str, ...]) -> None:
    for split in ("train", "val"):
        for number, wnid in enumerate(wnids):
            (root / split / wnid).mkdir(parents=True)
            colour = (number % 256, number // 256, 7 if split == "val" else 9)
            Image.new("RGB", (4, 4), colour).save(root / split / wnid / f"{split}.png")


def write_imagenet(data_root: Path) -> dict[str, object]:
    from lsbench.data.datasets.imagenet import ilsvrc_wnids

    write_folders(data_root / "imagenet", ilsvrc_wnids())
    return {}


def write_own(data_root: Path) -> dict[str, object]:
    write_folders(data_root / "own", ("cat", "dog"))
    return {"root": "own"}


ON_DISK = {"imagenet": write_imagenet, "image_folder": write_own}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=DATASETS.names())
def case(request, tmp_path):
    """A plug-in, a spec of it that is quick to prepare, and the data root."""
    name = request.param
    plugin = DATASETS.load(name)
    options = ON_DISK[name](tmp_path / "data") if name in ON_DISK else {}
    options |= {field: n for field, n in SMALL.items() if field in plugin.spec.model_fields}
    return plugin, plugin.spec(**options), tmp_path / "data"


def test_it_is_a_plugin_named_after_its_file(case):
    plugin, spec, _ = case
    assert isinstance(plugin, DatasetPlugin)
    assert issubclass(plugin.spec, DatasetSpec)
    assert DATASETS.load(spec.name) is plugin
    assert DATASETS.title(spec.name)


def test_its_spec_survives_json(case):
    plugin, spec, _ = case
    assert plugin.spec.model_validate_json(spec.model_dump_json()) == spec


def test_its_fingerprint_is_stable_and_fast(case):
    plugin, spec, data_root = case
    first = plugin.fingerprint(spec, data_root)
    start = time.perf_counter()
    assert plugin.fingerprint(spec, data_root) == first
    if plugin.in_memory:
        assert time.perf_counter() - start < 0.1
    assert len(first) == 64
    assert int(first, 16) >= 0
    if "train_images" in plugin.spec.model_fields:
        assert plugin.fingerprint(spec.model_copy(update={"train_images": 30}), data_root) != first


def test_its_folders_are_sorted_classes_with_readable_images(case):
    plugin, spec, data_root = case
    folders = plugin.prepare(spec, data_root)
    assert list(folders.wnids) == sorted(set(folders.wnids))
    assert folders.num_classes == plugin.num_classes(spec, data_root)
    assert plugin.prepare(spec, data_root) == folders
    for split in SPLITS:
        present = {path.name for path in folders.split(split).iterdir() if path.is_dir()}
        assert present == set(folders.wnids)
        if plugin.in_memory:
            assert len(list(folders.split(split).glob("*/*"))) == plugin.num_images(spec, split)


def test_its_splits_share_no_picture(case):
    plugin, spec, data_root = case
    folders = plugin.prepare(spec, data_root)
    seen: dict[str, Path] = {}
    for folder in {folders.split(split) for split in SPLITS}:
        for path in folder.glob("*/*.png"):
            pixels = hashlib.sha256(np.asarray(Image.open(path)).tobytes()).hexdigest()
            assert seen.setdefault(pixels, folder) == folder


@pytest.mark.parametrize("name", sorted(ON_DISK))
def test_missing_data_is_one_clear_line(name, tmp_path):
    plugin = DATASETS.load(name)
    spec = plugin.spec(root=tmp_path / "nowhere")
    for call in (plugin.fingerprint, plugin.prepare):
        with pytest.raises(DataError) as caught:
            call(spec, None)
        message = str(caught.value)
        assert "\n" not in message
        assert "expected" in message
        assert str(tmp_path / "nowhere") in message


def test_planning_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from lsbench.core.registry import DATASETS as D; "
        "p = [D.load(n) for n in D.names()]; "
        "D.load('fashion').fingerprint(D.load('fashion').spec(), None); "
        "print(*{'torch', 'torchvision', 'timm', 'numpy', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
