import numpy as np
import pytest
from PIL import Image

from lsbench.data.loading.image_files import ImageFiles, spread
from lsbench.data.loading.image_list import UnreadableImageError


def test_images_are_decoded_as_rgb(tmp_path):
    Image.fromarray(np.full((3, 4), 7, np.uint8)).save(tmp_path / "a.png")
    files = ImageFiles(tmp_path, ("a.png", "b.png"))
    assert len(files) == 2
    assert np.array(files.decode(0)).tolist() == [[[7, 7, 7]] * 4] * 3
    with pytest.raises(UnreadableImageError, match=rf"expected a readable image at {tmp_path}/b.png, found"):
        files.decode(1)
    (tmp_path / "b.png").write_bytes(b"x")
    with pytest.raises(UnreadableImageError, match="cannot identify image file; replace the file") as caught:
        files.decode(1)
    assert caught.value.path == "b.png"


def test_a_limit_is_spread_evenly():
    assert spread(10, None) == spread(10, 20) == list(range(10))
    assert spread(10, 3) == [0, 3, 6]
