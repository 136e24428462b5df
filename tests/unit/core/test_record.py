import pytest
from pydantic import ValidationError

from lsbench.core.record import Record, epoch_protocol, measured, split_epoch


def test_a_metric_brings_its_unit():
    found = measured("latency_ms", 1.5, protocol="p", n=3)
    assert (found.unit, found.value, found.n) == ("ms", 1.5, 3)


def test_what_was_not_measured_is_none_and_survives_json():
    found = measured("top1", None, protocol="p")
    again = Record.model_validate_json(found.model_dump_json())
    assert again == found
    assert again.value is None
    assert again.ci_low is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(ValidationError, match="finite"):
        measured("top1", value, protocol="p")


def test_a_typo_is_refused():
    with pytest.raises(ValidationError, match="ci_lo"):
        measured("top1", 0.5, protocol="p", ci_lo=0.1)


@pytest.mark.parametrize("protocol", ["train|300ep|v1", "", "odd|epoch=|v", "odd|epoch=x"])
def test_the_protocol_of_an_epoch_gives_both_back(protocol):
    assert split_epoch(protocol) == (protocol, None)
    assert split_epoch(epoch_protocol(protocol, 12)) == (protocol, 12)
