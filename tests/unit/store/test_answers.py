import numpy as np
import pytest

from lsbench.core.errors import StoreError
from lsbench.store.answers import packed_answers, read_answers, read_names
from lsbench.store.job_files import PREDICTIONS


@pytest.fixture
def keep(tmp_path):
    """Write what an evaluation keeps of its images."""

    def write(**arrays):
        np.savez_compressed(tmp_path / PREDICTIONS, images_sha256=np.array("abc"), **arrays)
        return tmp_path

    return write


def answers(classes, rng):
    targets, predictions = rng.integers(0, classes, (2, 500))
    best = np.column_stack([predictions, rng.integers(0, classes, (500, 4))])
    return {"targets": targets, "predictions": predictions, "best": best, "confidence": rng.random(500)}


def test_what_is_packed_is_read_back_with_the_documented_precision(keep):
    given = answers(1000, np.random.default_rng(0))
    packed = packed_answers(**given)
    assert {name: values.itemsize for name, values in packed.items()} == dict.fromkeys(given, 2)
    (found,) = read_answers(keep(**packed, classes=np.array([f"c{n}" for n in range(1000)])))
    for name in ("targets", "predictions", "best"):
        assert np.array_equal(getattr(found, name), given[name])
    assert np.abs(found.confidence - given["confidence"]).max() <= 0.00025
    assert not found.is_exact
    assert np.array_equal(found.is_right, given["targets"] == given["predictions"])
    assert (found.num_classes, found.class_name(7), found.sha256) == (1000, "c7", "abc")
    assert found.class_title(7) == "c7"


def test_classes_may_have_other_names_for_readers(keep):
    classes = {"classes": np.array(["n1", "n2"]), "titles": np.array(["crane", "T-shirt/top"])}
    (found,) = read_answers(keep(targets=np.array([0]), predictions=np.array([1]), **classes))
    assert (found.class_name(1), found.class_title(1)) == ("n2", "T-shirt/top")


def test_more_classes_than_two_bytes_hold_are_kept_too(keep):
    given = answers(70_000, np.random.default_rng(1))
    (found,) = read_answers(keep(**packed_answers(**given)))
    assert np.array_equal(found.best, given["best"])


def test_both_protocols_are_read_the_subset_first(keep):
    one, two = np.array([0, 1]), np.array([1, 1])
    found = read_answers(keep(targets=one, predictions=one, whole_targets=one, whole_predictions=two))
    assert [list(head.is_right) for head in found] == [[True, True], [False, True]]


def test_the_exact_confidence_of_a_calibration_is_preferred(keep):
    exact = np.array([[0.123456, 1], [0.9, 0]], np.float32)
    given = {"targets": np.array([0, 1]), "predictions": np.array([0, 0])}
    (found,) = read_answers(keep(**given, confidence=exact[:, 0].astype(np.float16), score_ece=exact))
    assert found.is_exact
    assert np.array_equal(found.confidence, exact[:, 0])


def test_files_of_before_are_read(keep):
    (found,) = read_answers(keep(targets=np.array([0, 4]), predictions=np.array([2, 4])))
    assert (found.best, found.confidence, found.classes) == (None, None, None)
    assert (found.num_classes, found.class_name(4)) == (5, "class 4")
    assert read_names(keep(targets=np.array([0]))) is None


def test_a_file_without_classes_or_none_has_no_answers(keep, tmp_path):
    assert read_answers(tmp_path) == []
    assert read_answers(keep(score_top1=np.ones(3, bool))) == []


def test_damage_is_named(keep, tmp_path):
    with pytest.raises(StoreError, match=r"predictions\.npz: damaged .* run again"):
        read_answers(keep(targets=np.arange(3), predictions=np.arange(2)))
    (tmp_path / PREDICTIONS).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(StoreError, match="damaged"):
        read_names(tmp_path)
