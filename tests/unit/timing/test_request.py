import pytest
from pydantic import ValidationError

from lsbench.timing.request import Budget, Reply, Request, Setting


def test_every_part_of_a_setting_shows_in_its_signature():
    plain = Setting()
    changes = {
        "precision": "fp16",
        "fused": True,
        "channels_last": True,
        "compiled": True,
        "cuda_graphs": True,
    }
    signatures = {plain.model_copy(update={name: value}).signature for name, value in changes.items()}
    assert len({*signatures, plain.signature}) == 6
    assert plain.signature == "fp32|nchw|unfused|eager"


def test_requests_and_replies_survive_json(small_request):
    assert Request.model_validate_json(small_request.model_dump_json()) == small_request
    reply = Reply(seconds=[0.1 + 0.2, 1e-9], is_disturbed=[True, False], stopped_by="noise")
    assert Reply.model_validate_json(reply.model_dump_json()) == reply


def test_a_budget_is_not_without_samples():
    with pytest.raises(ValidationError, match="greater than or equal to 6"):
        Budget(min_samples=5)
