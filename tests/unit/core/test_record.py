import pytest
from pydantic import ValidationError

from lsbench.core.facets import Facets
from lsbench.core.record import Record, measured


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


def test_facets_give_the_protocol():
    found = measured("top1", 0.5, facets=Facets(split="test", weights="ema", n=10, version="1"))
    assert found.protocol == "test|ema|n=10|v1"
    assert found.facets.n == 10


def test_a_text_of_ones_own_says_how_and_facets_say_of_what():
    found = measured("box_ap", 0.5, protocol="acme|boxes|v3", facets=Facets(classes=80).of_epoch(2))
    assert found.protocol == "acme|boxes|v3|epoch=2"
    assert (found.facets.classes, found.facets.epoch) == (80, 2)
    assert measured("box_ap", 0.5, protocol="acme|boxes|v3").facets == Facets()


def test_a_number_must_say_how_it_was_measured():
    with pytest.raises(TypeError, match="top1: expected facets, a protocol or both"):
        measured("top1", 0.5)
