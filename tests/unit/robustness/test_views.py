import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms as tv

from lsbench import corruptions
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.memory import decode_all
from lsbench.data.loading.unreadable import UnreadableBudget
from lsbench.robustness.views import (
    FileSource,
    LiveSource,
    ViewSamples,
    create_crop,
    jpeg_round_trip,
    resized_side,
)

CONDITIONS = (("fog", 1), ("snow", 5))
BILINEAR = tv.InterpolationMode.BILINEAR


@pytest.fixture
def photos(tmp_path, colours):
    """Two classes with one photo each of 60x45 pixels."""
    rng = np.random.default_rng(0)
    for wnid in ("n1", "n2"):
        (tmp_path / "photos" / wnid).mkdir(parents=True)
        pixels = rng.integers(0, 256, (12, 15, 3)).astype(np.uint8)
        image = Image.fromarray(pixels).resize((60, 45), Image.Resampling.BICUBIC)
        image.save(tmp_path / "photos" / wnid / "0.png")
    return list_images(replace(colours, splits={"test": tmp_path / "photos"}), "test")


@pytest.fixture
def drawn(monkeypatch):
    """Corruptions that paint what they were asked for, so that it can be read off the pixels."""
    asked = []

    def paint(image, name, severity, *, rng, family):
        asked.append((name, severity, family, rng.randint(1 << 30)))
        painted = image.copy()
        painted[..., 0] = 10 * severity + len(name)
        return painted

    monkeypatch.setattr(corruptions, "corrupt", paint)
    return asked


def source(photos, *, quality=None, crop=None, conditions=CONDITIONS):
    crop = crop or create_crop(35, in_memory=False, interpolation=BILINEAR)
    return LiveSource(photos, crop, conditions, family="original", jpeg_quality=quality)


def test_the_crop_is_that_of_the_published_files():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3)).astype(np.uint8))
    crop = create_crop(56, in_memory=False, interpolation=BILINEAR)
    # Shorter side to 64 (as 256 for 224), then the centre, by Pillow alone.
    resized = image.resize((64, int(64 * 90 / 70)), Image.Resampling.BILINEAR)
    assert resized_side(56) == 64
    left, top = 4, round((resized.height - 56) / 2)
    assert np.array_equal(np.asarray(crop(image)), np.asarray(resized.crop((left, top, left + 56, top + 56))))


def test_images_in_memory_are_what_training_saw(garments):
    images = list_images(replace(garments, limit=5), "test")
    pixels, _ = decode_all(images, 32, UnreadableBudget(0))
    found = source(images, crop=create_crop(32, in_memory=True, interpolation=BILINEAR), conditions=())
    for index in range(5):
        expected = pixels[index].expand(3, 32, 32).permute(1, 2, 0).numpy()
        assert np.array_equal(found.views(index)[0], expected)


@pytest.mark.parametrize("quality", [25, 85, 100])
@pytest.mark.parametrize("shape", [(33, 47, 3), (64, 64, 3)])
def test_a_jpeg_round_trip_gives_pillows_pixels(quality, shape):
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    image[: shape[0] // 2] = np.arange(shape[1])[None, :, None]  # half of it smooth
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, optimize=True)
    out = np.empty_like(image)
    jpeg_round_trip(image, quality, out)
    assert np.array_equal(out, np.asarray(Image.open(file)))


def test_an_image_has_its_clean_and_all_corrupted_views(photos, drawn):
    found = source(photos).views(1)
    assert found.shape == (3, 35, 35, 3)
    assert found.dtype == np.uint8
    assert found[1, ..., 0].tolist() == np.full((35, 35), 13).tolist()
    assert found[2, ..., 0].tolist() == np.full((35, 35), 54).tolist()
    assert np.array_equal(found[0, ..., 1:], found[1, ..., 1:])
    assert [(name, severity, family) for name, severity, family, _ in drawn] == [
        ("fog", 1, "original"),
        ("snow", 5, "original"),
    ]


def test_randomness_follows_from_image_corruption_and_severity_alone(photos, drawn):
    source(photos).views(0)
    source(photos, conditions=CONDITIONS[::-1]).views(0)
    source(photos).views(1)
    draws = [draw for *_, draw in drawn]
    assert draws[:2] == draws[2:4][::-1]
    assert len(set(draws)) == 4
    assert draws[0] == corruptions.image_rng("n1/0.png", "fog", 1).randint(1 << 30)


def test_corrupted_views_go_through_a_jpeg_and_the_clean_one_does_not(photos, drawn):
    plain, jpeg = source(photos).views(0), source(photos, quality=85).views(0)
    assert np.array_equal(plain[0], jpeg[0])
    out = np.empty_like(plain[1])
    jpeg_round_trip(plain[1], 85, out)
    assert np.array_equal(out, jpeg[1])
    assert not np.array_equal(plain[1], jpeg[1])


def test_files_are_cropped_and_not_resized(photos, tmp_path):
    crop = create_crop(35, in_memory=False, interpolation=tv.InterpolationMode.BICUBIC)
    found = FileSource(photos, crop, {CONDITIONS[0]: photos}, img_size=35).views(0)
    whole = np.asarray(photos.decode(0))
    assert np.array_equal(found[1], whole[5:40, 12:47])
    assert np.array_equal(found[0], np.asarray(crop(photos.decode(0))))
    assert not np.array_equal(found[0], found[1])


def test_an_unreadable_image_comes_as_one_line(photos, drawn):
    (photos.folder / "n2" / "0.png").write_bytes(b"no image")
    samples = ViewSamples(source(photos))
    index, pixels, problem = samples[0]
    assert (index, pixels.shape, problem) == (0, (3, 35, 35, 3), "")
    index, pixels, problem = samples[1]
    assert (index, pixels.size) == (1, 0)
    assert str(photos.folder / "n2" / "0.png") in problem
    assert "\n" not in problem


PLANES = """
import ctypes, resource
import numpy as np
from lsbench.robustness.views import prepare_process

def pages_of_planes():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        planes = [np.ones(100_000) for _ in range(3)]
        del planes
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for setting in (-1, -3):
    ctypes.CDLL(None).mallopt(setting, 1 << 17)
returned = pages_of_planes()
prepare_process()
pages_of_planes()
print(returned, pages_of_planes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_memory_of_a_view_is_used_again_for_the_next():
    """In a process of its own: in one that has freed much, the planes would find room in any case."""
    told = subprocess.check_output([sys.executable, "-c", PLANES], text=True)
    returned, kept = map(int, told.split())
    assert kept < returned / 10, "pages that the system had to clear"
