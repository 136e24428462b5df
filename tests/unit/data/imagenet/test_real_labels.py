import json
from pathlib import Path

import pytest
import timm
from timm.data.real_labels import RealLabelsImagenet

from lsbench.core.errors import DataError
from lsbench.data.imagenet.real_labels import NUM_LABELLED, real_answers, real_labels_sha256

NAMES = [f"ILSVRC2012_val_{number + 1:08d}.JPEG" for number in range(50_000)]


def test_the_labels_of_every_image_are_those_that_timm_gives_it():
    theirs = RealLabelsImagenet(NAMES).real_labels
    assert {name: list(real_answers(f"n01440764/{name}")) for name in NAMES} == theirs
    assert sum(bool(real_answers(name)) for name in NAMES) == NUM_LABELLED


@pytest.mark.parametrize("path", ["n1/photo.JPEG", "ILSVRC2012_val_00050001.JPEG", "ILSVRC2012_val_1.JPEG"])
def test_an_image_without_an_official_number_is_refused(path):
    with pytest.raises(DataError, match=rf"found '{path}'; the labels belong to these numbers"):
        real_answers(path)


def test_the_hash_is_that_of_the_file():
    path = Path(timm.__file__).parent / "data" / "_info" / "imagenet_real_labels.json"
    assert len(json.loads(path.read_text())) == len(NAMES)
    assert len(real_labels_sha256()) == 64
