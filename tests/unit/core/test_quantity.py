import pytest

from lsbench.core.quantity import QUANTITIES, from_duration, quantity
from lsbench.core.registry import ANALYSES


def test_an_unknown_quantity_has_neither_unit_nor_direction():
    found = quantity("strangeness")
    assert (found.name, found.unit, found.higher_is_better, found.scale) == ("strangeness", "", None, 1.0)


INSIGHTS = {metric for name in ANALYSES.names() for metric in ANALYSES.load(name).metrics}


@pytest.mark.parametrize("found", QUANTITIES.values(), ids=lambda q: q.name)
def test_scale_and_title_agree(found):
    if "(%)" in found.title:
        assert (found.unit, found.scale) == ("fraction", 100.0)
    if found.name.endswith("_ms"):
        assert found.unit == "ms"
    has_no_direction = found.name in {"lr", "epochs", *INSIGHTS}
    assert (found.higher_is_better is None) == has_no_direction, "neither more nor less is better"


def test_flops_say_how_they_are_counted():
    assert "1 MAC = 1 FLOP" in quantity("macs").title
    assert quantity("macs").scale == 1e-9


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1 min 00 s"),
        (60, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (3600, "1 h 00 min"),
        (86400, "24 h 00 min"),
    ],
)
def test_durations_never_show_sixty_of_anything(seconds, text):
    assert from_duration(seconds) == text
