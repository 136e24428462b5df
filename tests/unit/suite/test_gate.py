import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.gate import GateRule
from lsbench.suite.json_schema import suite_json_schema
from lsbench.suite.loader import load_suite


def test_rules_take_direction_and_exactness_from_the_metric(tiny, write_suite):
    tiny["jobs"][2]["profile"] = {"control": "lsnet_nano"}
    tiny["gate"] = [
        {"metric": "top1", "min_effect": 0.005},
        {"metric": "latency_ratio", "min_effect": 0.03, "alpha": 0.001},
        {"metric": "throughput_ratio", "min_effect": 0.03},
        {"metric": "params"},
        {"metric": "my_score", "direction": "higher", "min_effect": 1},
    ]
    rules = {rule.metric: rule for rule in load_suite(write_suite(tiny)).gate}
    assert [rule.direction for rule in rules.values()] == ["higher", "lower", "higher", "lower", "higher"]
    assert [rule.is_timing for rule in rules.values()] == [False, True, True, False, False]
    assert [name for name, rule in rules.items() if rule.is_exact] == ["params"]
    assert (rules["params"].min_effect, rules["latency_ratio"].alpha, rules["top1"].alpha) == (0, 0.001, 0.01)


def test_a_worsening_is_relative_for_timings_alone():
    top1 = GateRule(metric="top1", direction="higher", min_effect=0, alpha=0.01)
    assert top1.worsening(0.7, 0.72) == pytest.approx(-0.02)
    slow = GateRule(metric="latency_ratio", direction="lower", min_effect=0, alpha=0.01)
    assert slow.worsening(2.0, 2.1) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (
            {"metric": "latency_ms", "min_effect": 1},
            "'latency_ms' differs between machines and nights",
        ),
        ({"metric": "latency_ratio", "min_effect": 0.03}, "give a profile job a `control`"),
        ({"metric": "top1"}, "gate[0]: 'top1' is measured: give min_effect"),
        (
            {"metric": "params", "min_effect": 5},
            "min_effect: 'params' is counted and compared exactly",
        ),
        ({"metric": "topp1", "min_effect": 1}, "'topp1' has no better direction (did you mean 'top1'?)"),
        ({"metric": "lr", "min_effect": 1}, "'lr' has no better direction: give direction"),
        (
            {"metric": "top1", "min_effect": 0.1, "direction": "lower"},
            "'top1' is better when higher: leave direction out",
        ),
        ({"metric": "top1", "min_efect": 0.1}, "unknown key (did you mean 'min_effect'?)"),
        (
            {"metric": "top1", "min_effect": -1},
            "input should be greater than or equal to 0",
        ),
        ({"metric": "top1", "min_effect": 0.1, "alpha": 1}, "gate[0].alpha"),
        ({"min_effect": 0.1}, "gate[0].metric: this key is required"),
        ("top1", "gate[0]"),
    ],
)
def test_a_wrong_rule_is_one_line_with_its_place(rule, reason, tiny, write_suite):
    tiny["gate"] = [rule]
    path = write_suite(tiny)
    with pytest.raises(ConfigError) as caught:
        load_suite(path)
    [problem] = caught.value.problems
    assert problem.startswith(f"{path}:")
    assert reason in problem


def test_a_metric_has_one_rule_and_a_control_may_be_that_of_one_row(tiny, write_suite):
    tiny["gate"] = [{"metric": "top1", "min_effect": 0.1}, {"metric": "top1", "min_effect": 0.2}]
    with pytest.raises(ConfigError, match=r"gate\[1\].metric: a second rule for 'top1'"):
        load_suite(write_suite(tiny))
    tiny["gate"] = [{"metric": "latency_ratio", "min_effect": 0.1}]
    tiny["variants"][0]["jobs"] = {"profile": {"control": "lsnet_nano"}}
    assert load_suite(write_suite(tiny)).gate


def test_a_preset_replaces_the_rules_and_jobs_keep_their_ids(tiny, make_graph, write_suite):
    without = [job.id for job in make_graph(tiny).jobs]
    tiny["gate"] = [{"metric": "top1", "min_effect": 0.1}]
    tiny["presets"] = {"other": {"gate": [{"metric": "top5", "min_effect": 0.1}]}}
    assert [job.id for job in make_graph(tiny).jobs] == without
    assert [rule.metric for rule in load_suite(write_suite(tiny), preset="other").gate] == ["top5"]


def test_editors_learn_the_keys_of_a_rule():
    entry = suite_json_schema()["$defs"]["GateEntry"]
    assert set(entry["properties"]) == {"metric", "direction", "min_effect", "alpha"}
