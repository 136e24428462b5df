import pytest

from lsbench.core.errors import DataError
from lsbench.data.garments.annotated import (
    SOURCES,
    AnnotatedScenesSpec,
    count_scenes,
    fingerprint_scenes,
    write_scenes,
)

SPEC = AnnotatedScenesSpec(name="x", img_size=64, train_images=2, test_images=1)


@pytest.mark.parametrize("change", [{"img_size": 96}, {"seed": 1}, {"train_images": 3}, {"test_images": 4}])
def test_the_fingerprint_follows_every_setting_and_the_layout(change):
    first = fingerprint_scenes(SPEC, "coco")
    assert fingerprint_scenes(SPEC.model_copy(update=change), "coco") != first
    assert fingerprint_scenes(SPEC, "ade") != first
    assert len(first) == 64


def test_scenes_are_written_once_and_splits_use_other_photos():
    written = []

    def write(scenes, folder, split):
        written.append((split, len(list(scenes)), folder.is_dir()))

    root = write_scenes(SPEC, "f" * 64, write)
    assert write_scenes(SPEC, "f" * 64, write) == root
    assert written == [("train", 2, True), ("val", 1, True)]
    assert len({source for source, _ in SOURCES.values()}) == 2


def test_the_test_split_is_that_of_validation():
    assert [count_scenes(SPEC, split) for split in ("train", "val", "test")] == [2, 1, 1]
    with pytest.raises(DataError, match="found 'dev'"):
        count_scenes(SPEC, "dev")
    assert SPEC.max_size == SPEC.img_size
