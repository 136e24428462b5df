import numpy as np
import pytest

from lsbench import corruptions
from lsbench.core.errors import ConfigError, DataError
from lsbench.core.job import JobContext
from lsbench.engine.open_data import open_data
from lsbench.robustness.opening import open_views
from lsbench.robustness.spec import RobustnessSpec

CONDITIONS = {"corruptions": ["fog", "snow"], "severities": [1, 5]}


@pytest.fixture
def open_job(tiny, make_graph, tmp_path, monkeypatch):
    """Open the images of a robustness job with some settings, of the tiny suite's data set."""
    monkeypatch.setattr(corruptions, "corrupt", lambda image, *_, **__: 255 - image)

    def open_it(*, dataset=None, **settings):
        if dataset and "name" in dataset:
            tiny["defaults"]["dataset"] = dataset
        tiny["defaults"]["dataset"] |= dataset or {}
        graph = make_graph({**tiny, "jobs": ["train", {"robustness": {**CONDITIONS, **settings}}]})
        job = next(job for job in graph.jobs if job.label == "id/robustness/seed0")
        spec = RobustnessSpec.model_validate(job.spec)
        context = JobContext(job, spec, tmp_path, {}, "cpu", print)
        files = [open_data(context, other) for other in spec.other_data()]
        return open_views(context, open_data(context), files[0] if files else None)

    return open_it


def files(root):
    return {"protocol": "files", "files": {"name": "copies", "root": str(root)}}


def test_live_images_are_the_variants_own(open_job):
    opened = open_job()
    assert len(opened.images) == 20
    assert opened.conditions == (("fog", 1), ("fog", 5), ("snow", 1), ("snow", 5))
    assert opened.missing == {}
    assert (opened.res, opened.crop) == (32, None)
    assert opened.source.views(0).shape == (5, 32, 32, 3)


def test_images_on_disk_are_resized_and_cropped(open_job, copies):
    root, _ = copies("fog/test", side=48)
    opened = open_job(dataset={"name": "image_folder", "root": str(root / "fog"), "img_size": 40})
    assert (opened.res, opened.crop) == (45, 40)
    assert opened.source.views(0).shape == (5, 40, 40, 3)


@pytest.mark.parametrize("own", [40, 48])
def test_a_benchmark_has_one_size_for_every_row(own, open_job, copies, monkeypatch):
    monkeypatch.setattr(RobustnessSpec, "size_of", lambda spec, variant: 32)
    root, _ = copies("fog/test", "fog/1", side=48)
    opened = open_job(dataset={"name": "image_folder", "root": str(root / "fog"), "img_size": own})
    assert (opened.res, opened.crop) == (36, 32)
    assert opened.source.views(0).shape == (5, 32, 32, 3)


def test_a_subset_keeps_the_share_of_every_class(open_job):
    opened = open_job(subset=10)
    assert sorted(opened.images.targets) == list(range(10))


def test_images_too_small_to_corrupt_are_told_before_anything_is_computed(open_job):
    with pytest.raises(ConfigError, match="at least 32 pixels to corrupt, found img_size 28 of 'fashion'"):
        open_job(dataset={"img_size": 28})


def test_files_are_read_condition_by_condition_and_missing_ones_named(open_job, copies):
    root, _ = copies("fog/1", "snow/1", "snow/5")
    opened = open_job(**files(root))
    assert opened.conditions == (("fog", 1), ("snow", 1), ("snow", 5))
    assert opened.missing == {("fog", 5): f"expected {root / 'fog/5'}"}
    assert (opened.res, opened.crop) == (None, 32)
    found = opened.source.views(3)
    assert found.shape == (4, 32, 32, 3)
    assert np.array_equal(found[1], found[2])


def test_a_subset_of_files_is_that_of_the_clean_images(open_job, copies):
    root, _ = copies("fog/1", "fog/5", "snow/1", "snow/5")
    opened = open_job(subset=10, **files(root))
    assert len(opened.images) == 10
    clean, foggy, *_ = opened.source.views(9).astype(int)
    assert np.abs(clean - foggy).mean() < 8, "a copy of the same garment"


def test_a_condition_that_lacks_an_image_is_left_out(open_job, copies):
    root, _ = copies("fog/1", "fog/5", "snow/1", "snow/5")
    next((root / "fog" / "5").glob("*/*")).unlink()
    opened = open_job(**files(root))
    assert set(opened.missing) == {("fog", 5)}
    assert "copies of the 20 images" in opened.missing["fog", 5]
    assert f"{root / 'fog/5'}, found 19" in opened.missing["fog", 5]
    assert len(opened.conditions) == 3


def test_without_any_condition_there_is_nothing_to_do(open_job, copies):
    root, _ = copies("glass_blur/1")
    with pytest.raises(DataError, match=r"expected .*fog/1"):
        open_job(**files(root))


def test_files_of_other_classes_are_refused(open_job, copies):
    root, plugin = copies("fog/1")
    plugin.wnids = (*plugin.wnids[:-1], "n99999999")
    with pytest.raises(ConfigError, match="the 10 classes of 'fashion', found 10 others in "):
        open_job(**files(root))


def test_files_smaller_than_the_models_images_are_refused(open_job, copies):
    root, _ = copies("fog/1", side=31)
    with pytest.raises(ConfigError, match=r"files of at least 32 pixels in .*fog/1, found 31"):
        open_job(**files(root))


def test_a_data_set_without_conditions_has_no_corrupted_files(open_job, copies):
    root, _ = copies("plain/test")
    with pytest.raises(ConfigError, match="expected corrupted files, found none in 'image_folder'"):
        open_job(protocol="files", files={"name": "image_folder", "root": str(root / "plain")})
