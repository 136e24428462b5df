from typing import get_args

from lsbench.metrics.detection.matches import AREAS
from lsbench.metrics.detection.numbers import NUMBERS, Region


def test_six_numbers_are_precisions_and_six_are_recalls_over_known_areas():
    assert [name[:2] for name in NUMBERS] == ["ap"] * 6 + ["ar"] * 6
    for name, (is_precision, _, area, _) in NUMBERS.items():
        assert is_precision is name.startswith("ap")
        assert area in AREAS
        assert area == "all" or name.endswith(area)
    assert get_args(Region) == ("box", "mask")
