import pytest

from lsbench.core.errors import ExitCode, NothingMeasuredError
from lsbench.core.facets import Facets, render_protocol
from lsbench.gate.judge import Judgement, judge
from lsbench.gate.verdict import Verdict


def verdicts(findings):
    return {
        f"{finding.compared.key.variant}/{finding.compared.key.metric}": str(finding.verdict)
        for finding in findings
    }


def test_an_unchanged_model_is_ok_to_the_last_image(rules, make_images, make_pairs, make_row):
    rows = [make_images(), make_pairs(), make_row("macs", [3e8])]
    again = [make_images(), make_pairs(seed=1), make_row("macs", [3e8])]
    found = judge(rows, again, [rules[name] for name in ("top1", "latency_ratio", "macs")])
    assert set(verdicts(found).values()) == {"ok"}
    assert found[0].reason == "none of 10000 images changed"


def test_a_point_lost_is_always_caught_even_among_many_rows(rules, make_images):
    before = [make_images(variant=f"v{number}") for number in range(40)]
    after = [
        make_images(variant=f"v{number}", wrong=range(100) if number == 7 else ()) for number in range(40)
    ]
    found = verdicts(judge(before, after, [rules["top1"]]))
    assert [name for name, verdict in found.items() if verdict == "regressed"] == ["v7/top1"]


def test_the_more_rows_the_clearer_each_must_be(rules, make_images):
    """25 of 34 differing images lost: p = 0.0045, clear among two rows, not among ten."""

    def row(name, shift):
        wrong = [*range(59), *range(1000, 1000 + 25 * shift)]
        return make_images(8000, variant=name, wrong=wrong, count=10_000)

    rule = rules["top1"].model_copy(update={"min_effect": 0.001})
    after = make_images(8009, variant="a", wrong=[*range(59), *range(1000, 1025)])
    few = judge([row("a", 0), row("b", 0)], [after, row("b", 0)], [rule])
    assert verdicts(few)["a/top1"] == "regressed"
    others = [row(f"v{number}", 0) for number in range(9)]
    many = judge([row("a", 0), *others], [after, *others], [rule])
    assert verdicts(many)["a/top1"] == "inconclusive"


def test_a_row_that_one_side_lacks_is_never_passed_over(rules, make_images):
    found = judge(
        [make_images(), make_images(variant="old"), make_images(variant="moved")],
        [make_images(), make_images(variant="new"), make_images(variant="moved", protocol="q|v1")],
        [rules["top1"]],
    )
    reasons = {(f.compared.key.variant, f.compared.key.protocol): f.reason for f in found}
    assert reasons["old", "p|v1"] == "the results lack this row"
    assert reasons["new", "p|v1"] == "the baseline lacks this row"
    assert reasons["moved", "p|v1"] == "the results have it measured differently: q|v1 instead of p|v1"
    assert reasons["moved", "q|v1"] == "the baseline has it measured differently: p|v1 instead of q|v1"
    assert [str(f.verdict) for f in found].count("inconclusive") == 4


def test_a_metric_that_one_side_or_both_lack_is_told(rules, make_images, make_row):
    asked = [rules[name] for name in ("top1", "macs", "loss")]
    found = judge([make_images()], [make_images(), make_row("macs", [1.0])], asked)
    assert verdicts(found) == {"ls/top1": "ok", "ls/macs": "inconclusive", "all/loss": "inconclusive"}
    assert "no job of the suite measures it" in found[-1].reason


def test_no_row_in_common_is_an_error_of_its_own(rules, make_images):
    with pytest.raises(NothingMeasuredError, match="share no row") as caught:
        judge([make_images(variant="a")], [make_images(variant="b")], [rules["top1"]])
    assert caught.value.exit_code == ExitCode.NOTHING_MEASURED
    with pytest.raises(NothingMeasuredError):
        judge([], [], [rules["top1"]])


def test_suspects_are_what_another_measurement_could_refute(rules, make_pairs, make_row):
    before, after = (
        [make_pairs(), make_row("macs", [1.0])],
        [make_pairs(1.06, seed=1), make_row("macs", [2.0])],
    )
    found = judge(before, after, [rules["latency_ratio"], rules["macs"]])
    judgement = Judgement("nightly", "default", "abc", tuple(found))
    assert judgement.count(Verdict.REGRESSED) == 2
    assert [finding.compared.key.metric for finding in judgement.suspects] == ["latency_ratio"]


def test_a_machine_twice_as_slow_never_alarms(rules, make_pairs):
    for seed in range(20):
        [found] = judge(
            [make_pairs(seed=seed)], [make_pairs(1.1, drift=2, seed=100 + seed)], [rules["latency_ratio"]]
        )
        assert found.verdict == Verdict.INCONCLUSIVE
        [found] = judge(
            [make_pairs(seed=seed)], [make_pairs(drift=2, seed=100 + seed)], [rules["latency_ratio"]]
        )
        assert found.verdict == Verdict.OK


def test_each_runtime_and_precision_is_judged_by_itself(rules, make_images, make_pairs):
    form = Facets(precision="fp32", fused=True, runtime="onnxruntime", runtime_version="1.0", version="1")
    fp32 = render_protocol(form)
    int8 = render_protocol(form.model_copy(update={"precision": "int8", "quantisation": "static"}))
    before = [make(protocol=way) for make in (make_images, make_pairs) for way in (fp32, int8)]
    after = [
        make_images(protocol=fp32),
        make_images(protocol=int8, wrong=range(100)),
        make_pairs(protocol=fp32, seed=1),
        make_pairs(1.06, protocol=int8, seed=1),
    ]
    found = judge(before, after, [rules["top1"], rules["latency_ratio"]])
    told = {(one.compared.key.metric, one.compared.key.protocol): str(one.verdict) for one in found}
    assert told == {
        ("top1", fp32): "ok",
        ("top1", int8): "regressed",
        ("latency_ratio", fp32): "ok",
        ("latency_ratio", int8): "regressed",
    }
