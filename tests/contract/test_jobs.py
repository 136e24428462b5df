"""Every registered job kind keeps the promises of its kind; a new one is covered at once."""

import inspect

import pytest
from pydantic import ValidationError

from lsbench.core.job import DEFAULT_RESOURCES, JobKind, JobSpec
from lsbench.core.registry import JOBS


@pytest.fixture(params=JOBS.names())
def kind(request):
    return JOBS.load(request.param)


def test_it_is_a_job_kind_with_a_strict_spec_that_has_defaults(kind):
    assert isinstance(kind, JobKind)
    assert issubclass(kind.spec, JobSpec)
    assert kind.spec().threads >= 1
    with pytest.raises(ValidationError, match="Extra inputs"):
        kind.spec(no_such_setting=1)


def test_its_spec_survives_json(kind):
    assert kind.spec.model_validate_json(kind.spec().model_dump_json()) == kind.spec()


def test_its_runtime_fields_are_settings_and_never_threads(kind):
    assert kind.spec.runtime_fields <= set(kind.spec.model_fields)
    assert "threads" not in kind.spec.runtime_fields
    assert kind.spec.later_fields <= set(kind.spec.model_fields)
    assert not kind.spec.later_fields & kind.spec.runtime_fields


def test_its_default_needs_are_job_kinds_and_never_itself(kind):
    assert set(kind.needs) < set(JOBS.names())
    assert all(JOBS.load(need) is not kind for need in kind.needs)


def test_its_cost_is_positive_and_grows_with_the_model(kind):
    one, two = (kind.cost(kind.spec(), macs, lambda split: 100) for macs in (1e6, 2e6))
    assert one > 0
    assert two == pytest.approx(2 * one)


def test_its_run_takes_a_context(kind):
    assert list(inspect.signature(kind.run).parameters) == ["context"]
    assert kind.version >= 1


def test_its_resources_are_complete_over_the_defaults(kind):
    full = kind.resources.over(DEFAULT_RESOURCES)
    assert full.timeout_min > 0
    assert full.max_retries >= 0
    assert full.exclusive in ("no", "device", "node")
