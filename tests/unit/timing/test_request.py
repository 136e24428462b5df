import pytest
from pydantic import ValidationError

from lsbench.core.facets import Facets
from lsbench.timing.request import Budget, Reply, Request, Setting, joined


def test_every_part_of_a_setting_is_a_facet():
    assert set(Setting.model_fields) <= set(Facets.model_fields)


def test_requests_and_replies_survive_json(small_request):
    assert Request.model_validate_json(small_request.model_dump_json()) == small_request
    reply = Reply(seconds=[0.1 + 0.2, 1e-9], is_disturbed=[True, False], stopped_by="noise")
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


def test_a_budget_is_not_without_samples():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Budget(min_samples=0)


def test_processes_share_time_and_samples_and_each_may_be_less_sure():
    whole = Budget(processes=4, min_s=4, max_s=12, min_samples=61, target_noise=0.01)
    part = whole.share()
    assert (part.processes, part.min_s, part.max_s, part.min_samples) == (1, 1.0, 3.0, 16)
    assert part.target_noise == pytest.approx(0.02), (
        "the noise of four times as many samples is half as large"
    )
    assert Budget(processes=10, min_samples=20).share().min_samples == 6
    assert Budget().share() == Budget()


def test_replies_of_several_processes_are_one():
    one = Reply(
        seconds=[1.0, 2.0], control_seconds=[3.0, 4.0], is_disturbed=[False, True], disturbed_by={"load": 1},
        stopped_by="noise", passes=5, peak_memory_mib=70.0, energy_j=2.0, conditions={"mhz": 1},
    )  # fmt: skip
    two = Reply(
        seconds=[5.0], control_seconds=[6.0], is_disturbed=[True], disturbed_by={"load": 1, "heat": 1},
        passes=2, peak_memory_mib=60.0, conditions={"mhz": 2},
    )  # fmt: skip
    both = joined([one, two])
    assert (both.seconds, both.control_seconds) == ([1.0, 2.0, 5.0], [3.0, 4.0, 6.0])
    assert (both.is_disturbed, both.disturbed_by) == ([False, True, True], {"load": 2, "heat": 1})
    assert (both.stopped_by, both.passes, both.peak_memory_mib, both.energy_j) == ("time", 7, 70.0, None)
    assert both.conditions == {"processes": [{"mhz": 1}, {"mhz": 2}]}
    assert joined([one]) == one
    assert joined([one, one]).energy_j == 4.0
