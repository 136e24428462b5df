import json
from dataclasses import replace

from lsbench.gate.render_json import render


def test_every_finding_is_a_mapping_in_si_units(judgement):
    content = json.loads(render(judgement))
    assert content["counts"] == {"ok": 3, "improved": 1, "regressed": 1, "inconclusive": 1}
    lost = content["findings"][2]
    assert (lost["baseline"], lost["value"]) == (0.7, 0.69)
    assert abs(lost["worsening"] - 0.01) < 1e-12
    assert lost["verdict"] == "regressed"
    assert content["findings"][3]["value"] is None
    assert content["notes"] == ["A note with <b>."]


def test_a_second_measurement_stands_beside_the_first(judgement):
    first = judgement.findings[4]
    twice = replace(judgement, findings=(replace(first, first=first),))
    [row] = json.loads(render(twice))["findings"]
    assert row["first_worsening"] == row["worsening"] > 0
