from dataclasses import replace

from lsbench.gate.render_markdown import render


def test_what_needs_a_look_comes_first_and_the_rest_is_folded(judgement):
    text = render(judgement)
    lines = text.splitlines()
    assert lines[0] == "### nightly (default): 1 inconclusive, 1 regressed, 1 improved, 3 ok"
    fold = lines.index("<details><summary>3 ok</summary>")
    assert [line for line in lines[:fold] if line.startswith("| ✅")] == []
    assert sum(line.startswith("| ✅ ok |") for line in lines[fold:]) == 3
    assert sum(line.startswith(("| ❌ **regressed** |", "| ❔", "| 🎉")) for line in lines[:fold]) == 3
    assert text.endswith("- A note with &lt;b&gt;.\n")


def test_a_name_breaks_no_cell(judgement):
    [line] = [line for line in render(judgement).splitlines() if "regressed** " in line]
    assert "&lt;b&gt;\\|x" in line
    assert line.replace("\\|", "").count("|") == 10


def test_a_calm_night_has_one_folded_table(judgement):
    calm = replace(judgement, findings=judgement.findings[:1], notes=())
    assert render(calm).count("| verdict |") == 1
    assert render(replace(judgement, findings=(), notes=())) == "### nightly (default): nothing compared\n"
