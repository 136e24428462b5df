import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite


def test_a_job_needs_the_only_one_of_a_kind_whatever_its_name(tiny, write_suite):
    tiny["jobs"] = [{"train": {"name": "long"}}, "evaluate"]
    assert [job.needs for job in load_suite(write_suite(tiny)).jobs] == [(), ("long",)]
    tiny["jobs"] = [{"train": {"name": "long"}}, {"train": {"name": "short"}}, "evaluate"]
    with pytest.raises(
        ConfigError, match=r"needs 'train', which the suite does not have; name one of: long, short"
    ):
        load_suite(write_suite(tiny))


def test_a_row_that_trains_on_other_data_is_analysed_on_it(tiny, write_suite):
    tiny["jobs"] = [
        "train",
        {"detect": {"name": "find", "dataset": "fashion_coco"}},
        {"analyze": {"kind": "detections"}},
    ]
    other = {"name": "fashion_coco", "img_size": 96}
    tiny["variants"][0]["jobs"] = {"find": {"dataset": other}}
    job = load_suite(write_suite(tiny)).jobs[-1]
    assert job.needs == ("find",)
    assert job.spec["dataset"] == "fashion_coco"
    [changed] = job.spec_of.values()
    assert changed == {**job.spec, "dataset": other}
