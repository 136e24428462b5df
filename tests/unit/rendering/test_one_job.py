import pytest

from lsbench.rendering.one_job import number_text
from lsbench.tables.one_job import Number


def number(metric, value, unit, **more):
    told = {"n": None, "ci_low": None, "ci_high": None, "ci_method": None, "reason": None, **more}
    return Number(metric, value, unit, protocol="v1", dataset=None, is_of_a_part=False, **told)


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (
            number("top1", 0.714, "fraction", ci_low=0.7, ci_high=0.72, n=50),
            "top-1 (%): 71.40 [70.00, 72.00], n=50",
        ),
        (number("ece", 0.01, "fraction", ci_low=-0.005, ci_high=0.025), "ECE (%): 1.00 [0.00, 2.50]"),
        (number("macs", 3e8, "MAC"), "FLOPs (G), 1 MAC = 1 FLOP: 0.3000"),
        (number("train_loss", 1.5, "nat"), "train loss (nat): 1.5000"),
        (number("undeclared", 2.0, "m"), "undeclared (m): 2.0000"),
        (number("latency_ms", None, "ms", reason="too noisy"), "latency (ms): none, too noisy"),
    ],
)
def test_numbers_read_as_in_the_tables(of, text):
    assert number_text(of) == text
