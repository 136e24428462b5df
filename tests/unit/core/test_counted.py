import numpy as np
import pytest

from lsbench.core.counted import counted


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (1, ("image",), "1 image"),
        (0, ("image",), "0 images"),
        (1234567, ("image",), "1234567 images"),
        (np.int64(1), ("box",), "1 box"),
        (np.int64(2), ("box",), "2 boxes"),
        (2, ("batch",), "2 batches"),
        (2, ("entry",), "2 entries"),
        (2, ("day",), "2 days"),
        (2, ("epoch",), "2 epochs"),
        (1.0, ("GPU",), "1 GPU"),
        (2.0, ("GPU",), "2 GPUs"),
        (0.25, ("GPU",), "0.25 GPUs"),
        (1, ("job has", "jobs have"), "1 job has"),
        (2, ("job has", "jobs have"), "2 jobs have"),
    ],
)
def test_only_one_is_one(number, words, told):
    assert counted(number, *words) == told
