from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.core.registry import DATASETS
from lsbench.corruptions import corrupt, image_rng
from lsbench.data.loading.image_files import ImageFiles
from lsbench.data.loading.keep_ratio import Scaling
from lsbench.data.segmentation.loader import create_eval_loader
from lsbench.data.segmentation.samples import open_split
from lsbench.engine.corrupted_files import CorruptedFiles


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    sizes = {"a.png": (40, 56), "deep/b.png": (48, 33), "small.png": (20, 90)}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / name)
    return ImageFiles(tmp_path, tuple(sizes))


@pytest.mark.parametrize(("name", "severity"), [("gaussian_noise", 2), ("contrast", 5)])
def test_pixels_are_the_librarys_on_the_picture_as_it_is_in_its_file(files, name, severity):
    found = CorruptedFiles.of(files, name, severity, "imagecorruptions")
    assert len(found) == 3
    for index in (0, 1):
        clean = np.array(files.decode(index))
        rng = image_rng(files.paths[index], name, severity)
        expected = corrupt(clean, name, severity, rng=rng)
        assert np.array_equal(np.array(found.decode(index)), expected)
        assert not np.array_equal(expected, clean)


def test_noise_depends_on_image_kind_and_severity_alone(files):
    def pixels(name, severity, paths):
        own = ImageFiles(files.folder, paths)
        opened = CorruptedFiles.of(own, name, severity, "imagecorruptions")
        return np.array(opened.decode(paths.index("a.png")))

    first = pixels("gaussian_noise", 1, ("a.png", "deep/b.png"))
    np.random.seed(3)
    assert np.array_equal(first, pixels("gaussian_noise", 1, ("deep/b.png", "a.png")))
    assert not np.array_equal(first, pixels("gaussian_noise", 2, ("a.png",)))
    assert not np.array_equal(first, pixels("impulse_noise", 1, ("a.png",)))


def test_a_picture_that_is_too_small_is_named(files):
    with pytest.raises(DataError, match=r"small.png: an image to corrupt must be at least 32 pixels"):
        CorruptedFiles.of(files, "fog", 1, "imagecorruptions").decode(2)


def test_noise_is_the_same_in_any_batch_and_worker():
    plugin = DATASETS.load("fashion_ade")
    data = plugin.prepare(plugin.spec(img_size=64, train_images=1, test_images=4), None)
    plain = open_split(data, "test")
    noisy = replace(plain, images=CorruptedFiles.of(plain.images, "shot_noise", 3, "imagecorruptions"))
    scaling = Scaling(64, 64, data.mean, data.std)
    found = []
    for split, batch_size, workers in ((noisy, 1, 0), (noisy, 3, 2), (plain, 1, 0)):
        loader = create_eval_loader(split, scaling, batch_size=batch_size, num_workers=workers)
        found.append(
            {i: image for batch in loader for i, image in zip(batch.indices, batch.images, strict=True)}
        )
    one, other, clean = found
    assert one.keys() == other.keys() == {0, 1, 2, 3}
    assert all(torch.equal(one[index], other[index]) for index in one)
    assert not any(torch.equal(one[index], clean[index]) for index in one)
