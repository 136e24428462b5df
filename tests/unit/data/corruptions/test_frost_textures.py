import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import ConfigError
from lsbench.data.corruptions import frost_textures
from lsbench.data.corruptions.frost_textures import FILES, read_texture, resize_texture


@pytest.fixture
def no_memory():
    for cached in (read_texture, resize_texture):
        cached.cache_clear()
    yield
    for cached in (read_texture, resize_texture):
        cached.cache_clear()


def test_the_five_textures_of_the_package_are_read_as_pillow_reads_them():
    for index, name in enumerate(FILES):
        expected = np.asarray(Image.open(frost_textures._folder() / name).convert("RGB"))
        texture = read_texture(index)
        assert texture.shape == expected.shape
        assert np.abs(texture.astype(int) - expected).max() <= 1


def test_a_texture_is_read_and_resized_once_per_process():
    assert read_texture(0) is read_texture(0)
    assert resize_texture(1, 100, 120) is resize_texture(1, 100, 120)
    assert resize_texture(1, 100, 120).shape == (100, 120, 3)
    assert resize_texture(1, *read_texture(1).shape[:2]) is read_texture(1)


def test_a_missing_texture_is_one_line_that_says_what_to_do(no_memory, monkeypatch, tmp_path):
    monkeypatch.setattr(frost_textures, "_folder", lambda: tmp_path)
    with pytest.raises(
        ConfigError, match=r"frost1\.png, found no readable image: reinstall imagecorruptions"
    ):
        read_texture(0)


def test_a_missing_package_is_one_line_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(frost_textures, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install imagecorruptions"):
        frost_textures._folder()
