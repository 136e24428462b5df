import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.garments import pack
from lsbench.data.garments.garment_tests import GarmentTestSet, GarmentTestSpec
from lsbench.data.loading.image_list import list_images


class FlagsSpec(GarmentTestSpec):
    name: str = "flags"
    images_per_class: int = 2


def draw_flags(spec):
    for label in (3, 0):
        for index in range(spec.images_per_class):
            yield np.full((4, 4), 50 * label + index, dtype=np.uint8), label, index


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path))
    return GarmentTestSet(FlagsSpec, (3, 0), version=1, draw=draw_flags)


def test_pictures_lie_in_the_folders_of_their_classes_alone(plugin):
    folders = plugin.prepare(FlagsSpec(), None)
    wnids = [pack.wnids()[label] for label in (0, 3)]
    assert sorted(path.name for path in folders.root.iterdir() if path.is_dir()) == sorted(wnids)
    assert [folders.wnids[row] for row in folders.subset] == sorted(wnids)
    assert len(folders.wnids) == plugin.num_classes(FlagsSpec()) == 10
    assert np.asarray(Image.open(folders.root / wnids[1] / "00001.png"))[0, 0] == 151
    images = list_images(folders, "test")
    assert {folders.wnids[target] for target in images.targets} == set(wnids)
    assert len(images) == plugin.num_images(FlagsSpec(), "test") == 4


def test_the_fingerprint_follows_the_pictures(plugin):
    plain = plugin.fingerprint(FlagsSpec(), None)
    assert plugin.fingerprint(FlagsSpec(img_size=64), None) == plain
    assert plugin.fingerprint(FlagsSpec(images_per_class=1), None) != plain
    newer = GarmentTestSet(FlagsSpec, (3, 0), version=2, draw=draw_flags)
    assert newer.fingerprint(FlagsSpec(), None) != plain


def test_there_is_nothing_to_train_on(plugin):
    with pytest.raises(DataError, match="expected the split test, the only one of flags, found 'train'"):
        plugin.num_images(FlagsSpec(), "train")
    with pytest.raises(DataError, match="expected a 'train' split"):
        list_images(plugin.prepare(FlagsSpec(), None), "train")
