import json

import pytest

from lsbench.cli.diagnoses import Diagnosis

FINDINGS = [
    Diagnosis("ray", "2.60.0"),
    Diagnosis("data set imagenet", " ".join(["no folder given;", *20 * ["use --data DIR"]]), "absent"),
    Diagnosis("shared memory", f"below /a/folder/{'with-a-long-name' * 8}", "wrong"),
]


@pytest.fixture
def doctor(call, monkeypatch):
    """Run the doctor on given findings."""

    def run(findings, *arguments):
        monkeypatch.setattr("lsbench.cli.diagnoses.examine", lambda results, data: iter(findings))
        return call("doctor", *arguments)

    return run


@pytest.mark.parametrize("columns", [60, 250])
def test_lines_are_short_and_begin_with_one_of_three_words(doctor, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = doctor(FINDINGS)
    assert code == 2
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["ok", "absent", "wrong"]
    assert all(len(line) <= min(columns, 100) for line in lines if "long-name" not in line)
    assert len(lines) > 3


def test_only_what_is_wrong_counts(doctor):
    assert doctor(FINDINGS[:2])[0] == 0
    assert doctor(FINDINGS)[0] == 2


def test_machines_get_one_line_of_json_each(doctor):
    code, out, _ = doctor(FINDINGS, "--json")
    assert code == 2
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["state"] for line in lines] == ["ok", "absent", "wrong"]
    assert [line["good"] for line in lines] == [True, True, False]
    assert lines[0]["what"] == "ray"
