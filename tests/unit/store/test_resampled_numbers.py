import numpy as np
import pytest

from lsbench.core.errors import StoreError
from lsbench.store.resampled_numbers import read_resampled, resampled_differences, write_resampled


@pytest.fixture
def folder(tmp_path):
    write_resampled(
        tmp_path,
        "ab",
        7,
        {"miou": 0.5, "retinanet_ap_small": None},
        {"miou": np.array([0.4, np.nan, 0.6]), "retinanet_ap_small": np.full(3, np.nan)},
    )
    return tmp_path


def test_numbers_are_read_as_they_were_written(folder):
    found = read_resampled(folder, "miou", 0.5)
    assert (found.value, found.count, found.sha256) == (0.5, 7, "ab")
    assert found.values == pytest.approx([0.4, np.nan, 0.6], nan_ok=True)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("miou", 0.25),
        ("miou", None),
        ("pixel_accuracy", 0.5),
        ("retinanet_ap_small", None),
    ],
    ids=["of another value", "of no value", "of another metric", "unmeasured"],
)
def test_what_is_not_kept_is_none(folder, metric, value):
    assert read_resampled(folder, metric, value) is None


def test_a_job_that_keeps_none_has_none_and_a_damaged_file_is_told(folder, tmp_path_factory):
    assert read_resampled(tmp_path_factory.mktemp("empty"), "miou", 0.5) is None
    (folder / "resampled.npz").write_bytes(b"PK nonsense")
    with pytest.raises(StoreError, match="damaged"):
        read_resampled(folder, "miou", 0.5)


def kept(tmp_path, values, sha256="ab", value=0.5):
    tmp_path.mkdir(parents=True, exist_ok=True)
    write_resampled(tmp_path, sha256, 7, {"miou": value}, {"miou": np.array(values)})
    return read_resampled(tmp_path, "miou", value)


def test_differences_are_resample_by_resample_and_seed_by_seed(tmp_path):
    first = {0: kept(tmp_path / "a", [0.5, 0.75]), 1: kept(tmp_path / "b", [1.0, 0.5]), 2: None}
    second = {1: kept(tmp_path / "c", [0.5, 0.5], value=0.25), 0: kept(tmp_path / "d", [0.25, 0.25])}
    found, reason = resampled_differences(first, second)
    assert found.apart.tolist() == [0.0, 0.25]
    assert found.resampled.tolist() == [[0.25, 0.5], [0.5, 0.0]]
    assert (found.images, reason) == (7, "")


def test_different_images_or_missing_ones_are_not_paired(tmp_path):
    one, other = kept(tmp_path / "a", [0.5]), kept(tmp_path / "b", [0.5], sha256="cd")
    assert resampled_differences({0: one}, {0: other}) == (None, "the two were tested on different images")
    assert resampled_differences({0: one}, {0: None}) == (None, "no per-image results are kept")
    assert resampled_differences({0: one}, {1: one}) == (None, "no per-image results are kept")
