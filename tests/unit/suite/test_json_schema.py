import jsonschema
import pytest

from lsbench.core.registry import DATASETS, JOBS
from lsbench.suite.json_schema import suite_json_schema
from lsbench.suite.loader import shipped_suites
from lsbench.suite.marked_yaml import read_yaml


@pytest.fixture(scope="module")
def validator():
    schema = suite_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", shipped_suites().values(), ids=shipped_suites())
def test_it_accepts_the_shipped_suites(path, validator):
    validator.validate(read_yaml(path))


def test_it_accepts_a_job_of_every_kind_without_settings(tiny, validator):
    tiny["jobs"] = [*JOBS.names(), *({name: None} for name in JOBS.names())]
    validator.validate(tiny)


def spoil_top(suite):
    suite["sedes"] = [0]


def spoil_job(suite):
    suite["jobs"][0]["train"]["epoch"] = 1


def spoil_kind(suite):
    suite["jobs"].append("evalute")


def spoil_mixer(suite):
    suite["variants"][0]["mixer"] = "ls_conf"


def spoil_model(suite):
    suite["defaults"]["model"] = "lsnet_nan"


def spoil_dataset(suite):
    suite["defaults"]["dataset"]["train_image"] = 10


def spoil_resources(suite):
    suite["jobs"][0]["train"]["resources"] = {"num_gpu": 1}


def spoil_preset(suite):
    suite["presets"] = {"p": {"jobs": [{"train": {"epoch": 1}}]}}


def spoil_published(suite):
    suite["published_only"] = [{"name": "x", "published": {"top1": "high"}, "reason": "r"}]


def spoil_jobs(suite):
    suite.pop("jobs")


def spoil_seed(suite):
    suite["seeds"] = [-1]


SPOILERS = [v for k, v in list(globals().items()) if k.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda f: f.__name__)
def test_it_refuses_what_the_loader_refuses(spoil, tiny, validator):
    validator.validate(tiny)
    spoil(tiny)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(tiny)


def test_it_names_every_data_set_and_job_kind():
    schema = suite_json_schema()
    assert schema["$defs"]["Dataset"]["anyOf"][0]["enum"] == DATASETS.names()
    assert schema["$defs"]["Job"]["anyOf"][0]["enum"] == JOBS.names()


@pytest.mark.parametrize("on", ["imagenet_a", {"name": "imagenet_v2", "selection": "top-images"}, None])
def test_other_data_of_a_job_is_described_as_data(on, tiny, validator):
    tiny["jobs"][1] = {"evaluate": {"on": on}}
    validator.validate(tiny)


@pytest.mark.parametrize("on", ["imagenet_b", {"name": "imagenet_v2", "selecton": "top-images"}, 3])
def test_other_data_that_does_not_exist_is_refused(on, tiny, validator):
    tiny["jobs"][1] = {"evaluate": {"on": on}}
    assert not validator.is_valid(tiny)
