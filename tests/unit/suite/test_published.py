import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite

ROW = {"name": "PVT-Tiny", "published": {"top1": 0.751}, "reason": "not in timm"}


def problems(content, write_suite):
    with pytest.raises(ConfigError) as caught:
        load_suite(write_suite(content))
    return [problem.split(": ", 1)[1] for problem in caught.value.problems]


def test_published_numbers_are_kept_by_row(tiny, write_suite):
    tiny["variants"][1]["published"] = {"top1": 0.693, "macs": 0.29e9, "throughput": 14708}
    suite = load_suite(write_suite({**tiny, "source": "a paper", "published_only": [ROW]}))
    assert [variant.published for variant in suite.variants] == [{}, tiny["variants"][1]["published"]]
    assert suite.source == "a paper"
    assert [row.model_dump() for row in suite.published_only] == [ROW]


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ({"top2": 0.5}, "variants[0].published.top2: unknown metric 'top2' (did you mean 'top"),
        ({"zzz": 0.5}, "variants[0].published.zzz: unknown metric 'zzz'; there are: "),
        ({"top1": 71.6}, "variants[0].published.top1: expected a fraction in [0, 1], found 71.6"),
        ({"top1": "high"}, "variants[0].published.top1: input should be a valid number"),
        ({"macs": -1}, "variants[0].published.macs: input should be greater than or equal to 0, found -1"),
        (3, "variants[0].published: input should be a valid dictionary, found 3"),
    ],
)
def test_a_wrong_number_is_one_problem(published, reason, tiny, write_suite):
    tiny["variants"][0]["published"] = published
    (found,) = problems(tiny, write_suite)
    assert found.startswith(reason)


def test_an_error_that_may_exceed_one_is_no_fraction(tiny, write_suite):
    tiny["variants"][0]["published"] = {"mce": 1.05}
    assert load_suite(write_suite(tiny)).variants[0].published == {"mce": 1.05}


def test_numbers_of_logs_are_kept_beside_those_published(tiny, write_suite):
    tiny["variants"][0] |= {"published": {"top1": 0.41}, "published_logs": {"top1": 0.4156}}
    assert load_suite(write_suite(tiny)).variants[0].published_logs == {"top1": 0.4156}
    tiny["variants"][0]["published_logs"] = {"top1": 41.56}
    (found,) = problems(tiny, write_suite)
    assert found.startswith("variants[0].published_logs.top1: expected a fraction in [0, 1], found 41.56")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{**ROW, "published": {"tpo1": 0.5}}], "published_only[0].published.tpo1: unknown metric 'tpo1'"),
        ([ROW, ROW], "published_only[1].name: duplicate row 'PVT-Tiny'"),
        ([{"name": "x", "published": {}}], "published_only[0].reason: this key is required"),
        ([{**ROW, "reasn": 1}], "published_only[0].reasn: unknown key (did you mean 'reason'?)"),
        (3, "published_only: input should be a valid list, found 3"),
    ],
)
def test_a_wrong_row_is_one_problem(rows, reason, tiny, write_suite):
    (found,) = problems({**tiny, "published_only": rows}, write_suite)
    assert found.startswith(reason)
