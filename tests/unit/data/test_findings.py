import pytest
from PIL import Image

from lsbench.core.errors import DataError
from lsbench.data.dataset import ImageFolders
from lsbench.data.findings import Report, SeenImages, Sizes, evenly
from lsbench.data.loading.image_list import list_images


@pytest.fixture
def images(tmp_path):
    (tmp_path / "val" / "cat").mkdir(parents=True)
    for number, size in enumerate([(40, 50), (20, 90)]):
        Image.new("L", size).save(tmp_path / "val" / "cat" / f"{number}.png")
    (tmp_path / "val" / "cat" / "2.png").write_bytes(b"nothing")
    return list_images(ImageFolders(tmp_path, {"val": tmp_path / "val"}, ("cat",)), "val")


def test_what_images_show_is_counted(images):
    seen = SeenImages()
    seen.add(images, [0, 1, 2])
    assert (seen.looked_at, dict(seen.modes)) == (3, {"L": 2})
    assert seen.sizes() == Sizes(smallest=(20, 90), median=(30, 70), largest=(40, 50))
    first, small = seen.notes()
    assert first.startswith("2 of 3 images are grey")
    assert "below 32 px (first: cat/1.png, 20x90)" in small
    (problem,) = seen.problems()
    assert "cat/2.png, found: cannot identify" in problem


def test_a_report_with_a_problem_raises_the_first_one():
    Report(name="x").require()
    with pytest.raises(DataError, match="first"):
        Report(name="x", problems=("first", "second")).require()


def test_a_sample_is_spread_over_all():
    assert evenly(10, 3) == [0, 3, 6]
    assert evenly(3, 10) == [0, 1, 2]
