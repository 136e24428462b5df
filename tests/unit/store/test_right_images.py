import numpy as np
import pytest

from lsbench.core.errors import StoreError
from lsbench.store.job_files import PREDICTIONS
from lsbench.store.right_images import RightImages, differences, read_right


@pytest.fixture
def keep(tmp_path):
    """Write what an evaluation keeps of its images."""

    def write(**arrays):
        np.savez_compressed(tmp_path / PREDICTIONS, **arrays)
        return tmp_path

    return write


def test_the_images_are_those_whose_mean_the_figure_is(keep):
    some, whole = np.array([1, 1, 0, 1], dtype=bool), np.array([1, 0, 0, 1], dtype=bool)
    folder = keep(score_top1=some, whole_score_top1=whole, images_sha256=np.array("abc"))
    assert np.array_equal(read_right(folder, "top1", 0.75).right(), some)
    found = read_right(folder, "top1", 0.5)
    assert (found.right().tolist(), found.sha256, found.count) == (whole.tolist(), "abc", 4)
    assert read_right(folder, "top1", 0.6) is None
    assert read_right(folder, "top5", 0.75) is None
    assert read_right(folder, "top1", None) is None


def test_two_heads_of_the_same_mean_are_not_guessed_at(keep):
    one, two = np.array([1, 0], dtype=bool), np.array([0, 1], dtype=bool)
    folder = keep(score_top1=one, whole_score_top1=two, images_sha256=np.array("abc"))
    assert read_right(folder, "top1", 0.5) is None


def test_no_file_has_no_images_and_a_damaged_one_is_named(tmp_path):
    assert read_right(tmp_path, "top1", 0.5) is None
    (tmp_path / PREDICTIONS).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(StoreError, match=r"predictions\.npz: damaged .* run again"):
        read_right(tmp_path, "top1", 0.5)


def images(*right, sha256="abc"):
    return RightImages.pack(np.array(right, dtype=bool), sha256)


def test_images_are_paired_with_themselves_seed_by_seed():
    one = {0: images(1, 1, 0), 1: images(0, 0, 0), 7: images(1, 1, 1)}
    two = {1: images(1, 0, 0), 0: images(0, 1, 0), 8: images(0, 0, 0)}
    found, reason = differences(one, two)
    assert (found.tolist(), reason) == ([[1, 0, 0], [-1, 0, 0]], "")


def test_other_images_are_never_paired():
    for other in (images(1, 1, 1, sha256="other"), images(1, 1)):
        assert differences({0: images(1, 0, 1)}, {0: other}) == (
            None,
            "the two were tested on different images",
        )
    assert differences({0: images(1)}, {0: None})[1] == "no per-image results are kept"
    assert differences({0: images(1)}, {1: images(1)})[0] is None
