import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from lsbench.data.garments import pack
from lsbench.data.garments.many_garments import CATEGORIES, compose_scenes, label_map, write_ade, write_coco


def scenes(count, split="train", seed=0, stream=0, img_size=64):
    return list(compose_scenes(pack.read_pack()[split], count, img_size=img_size, seed=seed, stream=stream))


@pytest.fixture(scope="module")
def some():
    return scenes(40)


def test_every_class_of_the_photos_is_in_one_category():
    assert sorted(label for category in CATEGORIES for label in category.labels) == list(range(10))
    numbers = [category.number for category in CATEGORIES]
    assert numbers == sorted(set(numbers))
    assert numbers != list(range(1, 6)), "with gaps, as COCO's"


def test_scenes_hold_one_to_four_garments_of_every_category(some):
    counts = [len(scene.labels) for scene in some]
    assert set(counts) == {1, 2, 3, 4}
    labels = np.concatenate([scene.labels for scene in some])
    assert min(np.bincount(labels, minlength=5)) > 0.1 * len(labels)
    for scene in some:
        sides = scene.boxes[:, 2:] - scene.boxes[:, :2]
        assert (sides.max(axis=1) <= 0.55 * 64 + 1).all()
        assert (scene.masks.sum(axis=(1, 2)) > 0).all()


def test_a_scene_depends_on_seed_stream_and_number_alone(some):
    few = scenes(3)
    for one, other in zip(few, some, strict=False):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.masks, other.masks)
    for change in ({"seed": 1}, {"stream": 1}, {"split": "test"}):
        assert not np.array_equal(scenes(1, **change)[0].image, some[0].image)


def test_the_json_file_is_coco_with_exact_boxes_and_masks(some, tmp_path):
    write_coco(iter(some[:5]), tmp_path / "a" / "instances.json", tmp_path / "images")
    coco = COCO(str(tmp_path / "a" / "instances.json"))
    assert len(coco.imgs) == 5
    for number, scene in enumerate(some[:5], 1):
        entries = coco.loadAnns(coco.getAnnIds(imgIds=number))
        assert [entry["category_id"] for entry in entries] == [
            CATEGORIES[label].number for label in scene.labels
        ]
        for row, entry in enumerate(entries):
            assert np.array_equal(coco.annToMask(entry), scene.masks[row])
            assert entry["area"] == scene.masks[row].sum()
            x, y, width, height = entry["bbox"]
            assert [x, y, x + width, y + height] == scene.boxes[row].tolist()
        path = tmp_path / "images" / coco.imgs[number]["file_name"]
        assert np.array_equal(np.array(Image.open(path)), scene.image)
    content = json.loads((tmp_path / "a" / "instances.json").read_text())
    assert {"info", "licenses", "images", "annotations", "categories"} == set(content)


def test_label_maps_count_from_one_the_background(some, tmp_path):
    write_ade(iter(some[:3]), tmp_path / "images", tmp_path / "maps", word="train")
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == [f"ADE_train_{number:08d}.png" for number in (1, 2, 3)]
    for name, scene in zip(names, some, strict=False):
        stored = np.array(Image.open(tmp_path / "maps" / name))
        assert np.array_equal(stored, label_map(scene))
        assert (stored == 1).sum() == (~scene.masks.any(axis=0)).sum()
        for mask, label in zip(scene.masks, scene.labels, strict=True):
            assert (stored[mask] == label + 2).all()
