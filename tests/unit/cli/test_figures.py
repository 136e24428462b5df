import io
import sys

import numpy as np
import pytest
from PIL import Image

from lsbench.cli.figures import composable, find_analysis, tell_figures
from lsbench.cli.main import run_command
from lsbench.core.errors import UsageError


@pytest.fixture
def call(capsysbinary):
    """Run `lsbench report`; return exit code, stdout as bytes and stderr."""

    def run(folder, *arguments):
        code = run_command(["report", *map(str, arguments), "--results", str(folder.root.parents[1])])
        captured = capsysbinary.readouterr()
        return code, captured.out, captured.err.decode()

    return run


def test_each_figure_of_the_paper_has_an_analysis():
    names = ["erf", "aggregation", "feature_maps", "detections", "segmentation"]
    assert [find_analysis(number) for number in "12345"] == names
    assert list(composable())[:5] == names
    assert find_analysis("cka") == "cka"
    with pytest.raises(UsageError, match=r"--figure 9: no analysis draws it; there are: 1 \(erf\), 2 "):
        find_analysis("9")


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("SVG", b"<?xml"), ("png", b"\x89PNG")])
def test_the_suffix_of_a_file_is_its_format(call, make_fields, tmp_path, suffix, start):
    folder, file = make_fields(), tmp_path / f"a.{suffix}"
    code, out, err = call(folder, "tiny", "--figure", 1, "-o", file)
    assert (code, out) == (0, b"")
    assert file.read_bytes().startswith(start)
    assert "erf: shows The rep_mixer, The ls_conv, The identity; seed 0; protocol erf|test|n=6|v1.1\n" in err
    assert f"{file}: written ({suffix.lower()})" in err


def test_without_a_file_every_format_lies_in_the_results_folder(call, make_fields):
    folder = make_fields()
    code, _, err = call(folder, "--figure", "1", "--rows", "ls_conv")
    assert code == 0
    files = sorted((folder.root / "figures").iterdir())
    assert [path.name for path in files] == ["figure1.pdf", "figure1.png", "figure1.svg"]
    assert Image.open(files[1]).info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert f"Figure 1: {files[0]}, .svg, .png" in err
    assert b"The" in files[2].read_bytes()


def test_a_pipe_gets_the_picture_and_a_terminal_does_not(call, make_fields, monkeypatch):
    folder = make_fields()
    code, out, _ = call(folder, "--figure", "erf", "--format", "png")
    assert code == 0
    assert Image.open(io.BytesIO(out)).width == 975
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, err = call(folder, "--figure", "erf", "--format", "png")
    assert (code, out) == (2, b"")
    assert "png is binary and cannot be shown on a terminal; name a file with -o FILE" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--figure", "6"), 2, "--figure 6: no analysis draws it; there are: 1 (erf), 2 (aggregation)"),
        (("--figure", "1", "-o", "a.docx"), 2, "no format has the suffix .docx; use one of .pdf, .svg, .png"),
        (("--figure", "1", "-o", "figure"), 2, "a picture is one of .pdf, .svg, .png; name such a file"),
        (("--figure", "1", "--format", "html"), 2, "a picture is one of .pdf, .svg, .png"),
        (("--figure", "1", "--pivot", "--paper", "7"), 2, "--paper, --pivot: not with --figure"),
        (("--figure", "2"), 5, "nothing to draw: no variant has an analysis `aggregation`"),
        (("--figure", "5"), 5, "no variant has an analysis `segmentation`; add `analyze: segmentation`"),
        (("--figure", "1", "--rows", "x"), 2, "--rows x: no match; known: rep_mixer, ls_conv, identity"),
        (
            ("--figure", "1", "--rows", "identity"),
            5,
            "The identity: this result holds no arrays: run it again",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line(call, make_fields, arguments, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = make_fields(without_arrays=["identity/erf/seed0", "identity/erf/seed1"])
    found, out, err = call(folder, "tiny", *arguments)
    assert (found, out, err.count("\n")) == (code, b"", 1)
    assert message in err
    assert not (folder.root / "figures").exists()


def test_a_figure_is_of_one_suite(call, make_fields):
    make_fields(name="other")
    code, _, err = call(make_fields(), "--figure", "1")
    assert code == 2
    assert "of one suite and preset; name one of: other (default), tiny (default)" in err


def test_arrays_of_another_version_are_told(call, make_fields):
    folder = make_fields()
    for path in folder.root.glob("jobs/*/erf.npz"):
        np.savez(path, old=np.eye(2))
    code, _, err = call(folder, "--figure", "1")
    assert code == 2
    assert "holds no array 'field', as one of another version: run it again with --rerun" in err


def test_the_end_of_a_run_composes_what_has_several_variants(make_fields, capsys):
    folder = make_fields()
    tell_figures(folder)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("Figure 1: ")
    assert len(list((folder.root / "figures").iterdir())) == 3
    tell_figures(make_fields(["ls_conv"], name="alone"))
    assert capsys.readouterr().err == ""


def test_a_figure_that_fails_in_any_way_fails_no_run(make_fields, capsys):
    folder = make_fields()
    for path in folder.root.glob("jobs/*/erf.npz"):
        np.savez(path, field=np.zeros(3), shares=np.ones(1))
    tell_figures(folder)
    assert capsys.readouterr().err.startswith("no figure of erf: ")
    next(folder.root.glob("jobs/*/erf.npz")).write_bytes(b"")
    tell_figures(folder)
    assert "damaged" in capsys.readouterr().err
