import json

import pytest

from lsbench.core.registry import MIXERS


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("models", "lsnet_t"),
        ("mixers", "ls_conv"),
        ("datasets", "fashion"),
        ("jobs", "train"),
        ("metrics", "top5"),
        ("probes", "latency"),
        ("loggers", "tensorboard"),
        ("reports", "markdown"),
        ("suites", "smoke"),
    ],
)
def test_everything_can_be_listed(what, expected, call):
    code, out, _ = call("list", what)
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert expected in names
    _, out, _ = call("list", what, "--json")
    assert [json.loads(line)["name"] for line in out.splitlines()] == names
    if what == "mixers":
        assert names == MIXERS.names()


def test_a_list_may_be_narrowed(call):
    code, out, _ = call("list", "models", "repvit_m1_*")
    assert code == 0
    assert "repvit_m1_1" in out
    assert all(line.startswith("repvit_m1_") for line in out.splitlines())
