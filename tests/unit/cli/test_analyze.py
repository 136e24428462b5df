import json

import numpy as np
import pytest

from lsbench.cli.main import run_command

NANO = ["analyze", "erf", "lsnet_nano", "--images", "4", "--img-size", "32"]


def test_one_model_is_looked_into_and_the_numbers_are_printed(tmp_path, capsys):
    assert run_command([*NANO, "--mixer", "without_lkp", "-o", str(tmp_path / "new")]) == 0
    text, err = capsys.readouterr()
    assert err == (
        "warning: erf: lsnet_nano, without_lkp has random weights: "
        "picture and numbers are of an untrained model\n"
    )
    assert "ERF area of 50 % (%): " in text
    assert "erf|test|fresh|res=32|n=4|v1.1" in text
    assert np.load(tmp_path / "new" / "erf.npz")["field"].shape == (32, 32)
    files = [tmp_path / "new" / f"erf.{end}" for end in ("npz", "pdf", "svg", "png")]
    assert f"written: {', '.join(map(str, files))}\n" in text
    assert "random" in (tmp_path / "new" / "erf.svg").read_text(), "letters are told as comments"


def test_machines_get_records_and_the_same_ones_again(tmp_path, capsys):
    lines = []
    for _ in range(2):
        assert run_command([*NANO, "--json", "-o", str(tmp_path)]) == 0
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]
    first, *_ = lines[0].splitlines()
    assert json.loads(first)["metric"] == "erf_area_20"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "erff", "lsnet_nano"], "unknown analysis 'erff' (did you mean 'erf'?)"),
        (["analyze", "erf", "lsnet_nani"], "did you mean 'lsnet_nano'"),
        ([*NANO, "--mixer", "cgaa"], "--mixer: unknown mixer 'cgaa'"),
        ([*NANO, "--dataset", "fashio"], "--dataset: unknown data set 'fashio'"),
        ([*NANO[:-1], "300"], "img_size"),
        (["analyze", "aggregation", "lsnet_nano", "--mixer", "rep_mixer", *NANO[3:]], "RepMixer predicts no"),
        ([*NANO, "-o", __file__], "name a folder"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
