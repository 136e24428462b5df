import numpy as np
import pytest
from PIL import Image

from lsbench.core.errors import UsageError
from lsbench.corruptions import frost_textures
from lsbench.corruptions.frost_textures import TEXTURES, read_texture, resize_texture
from lsbench.corruptions.oracle import frost_textures as files_of_package


@pytest.fixture
def nothing_read():
    read_texture.cache_clear()
    yield
    read_texture.cache_clear()


def test_five_textures_are_read_as_pillow_reads_them():
    for index in range(TEXTURES):
        expected = np.asarray(Image.open(files_of_package()[index]).convert("RGB"))
        texture = read_texture(index)
        assert texture.shape == expected.shape
        assert np.abs(texture.astype(int) - expected).max() <= 1


def test_a_texture_is_read_and_resized_once_per_process():
    assert read_texture(0) is read_texture(0)
    assert resize_texture(1, 100, 120) is resize_texture(1, 100, 120)
    assert resize_texture(1, 100, 120).shape == (100, 120, 3)
    assert resize_texture(1, *read_texture(1).shape[:2]) is read_texture(1)


def test_a_torn_texture_is_one_line_that_says_what_to_do(nothing_read, monkeypatch, tmp_path):
    monkeypatch.setattr(frost_textures, "frost_textures", lambda: [tmp_path / "frost1.png"])
    with pytest.raises(UsageError, match=r"no image in .*frost1\.png; reinstall imagecorruptions"):
        read_texture(0)
