import os

import pytest

from lsbench.cli.output import SUFFIXES, Output
from lsbench.core.errors import LsbenchError, UsageError


def choose(name, asked=None):
    return Output(name).choose_format(asked, lambda: SUFFIXES)


@pytest.mark.parametrize(
    ("name", "asked", "chosen"),
    [
        ("-", None, "console"),
        ("-", "json", "json"),
        ("/dev/stdout", None, "console"),
        ("/dev/null", None, "console"),
        ("table", None, "console"),
        ("table.txt", None, "console"),
        ("table.txt", "json", "json"),
        ("a.b/table", None, "console"),
        ("table.md", None, "markdown"),
        ("TABLE.MD", None, "markdown"),
        ("table.markdown", "markdown", "markdown"),
        ("table.json", None, "json"),
        ("junit.xml", None, "junit"),
        ("table.out", "json", "json"),
    ],
)
def test_the_suffix_of_a_file_is_its_format(name, asked, chosen):
    assert choose(name, asked) == chosen


@pytest.mark.parametrize(
    ("name", "asked", "reason"),
    [
        (
            "x.json",
            "markdown",
            "-o x.json: .json is the suffix of json, and --format is markdown; name the file x.md",
        ),
        ("x.md", "console", "name the file x.txt, or leave --format out"),
        (
            "x.pdf",
            None,
            "-o x.pdf: no format has the suffix .pdf; use one of .txt, .md, .markdown, .json, .xml",
        ),
    ],
)
def test_what_does_not_fit_is_refused(name, asked, reason):
    with pytest.raises(UsageError) as error:
        choose(name, asked)
    assert reason in str(error.value)


def test_what_was_written_is_told_on_stderr(tmp_path, capsys):
    file = tmp_path / "deep" / "x.md"
    Output(str(file)).write("täxt", what="markdown")
    assert file.read_bytes() == "täxt".encode()
    assert capsys.readouterr() == ("", f"{file}: written (markdown)\n")
    Output(str(file)).write(b"\xff")
    assert file.read_bytes() == b"\xff"
    assert capsys.readouterr().err == f"{file}: written\n"


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_stdout_has_many_names(name, capsysbinary):
    Output(name).write("text\n")
    Output(name).write(b"\xff\n")
    assert capsysbinary.readouterr() == (b"text\n\xff\n", b"")


@pytest.mark.parametrize("name", ["", ".", "new/", "file/below", "/dev/full", "a\0b", "x" * 300])
def test_what_cannot_be_written_is_one_line_with_its_flag(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("old")
    output = Output(name, "--junit")
    with pytest.raises(LsbenchError) as error:
        _ = output.check(), output.write("text")
    assert str(error.value).startswith(f"--junit {name}: cannot be written (")
    assert str(error.value).count("\n") == 0
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_is_said_of_a_device(capsys):
    output = Output("/dev/null")
    output.check()
    output.write("text")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("asked", ["s3://bucket/r.html", "gs:/bucket/r.html", "file:///x/r.html"])
def test_an_address_is_refused_and_is_no_folder(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"^-o {asked}: is no file or folder of this machine; write here"):
        Output(asked).check()
    assert list(tmp_path.iterdir()) == []
    Output("at 12:30.html").check()
    (tmp_path / "s3:").mkdir()
    Output("s3:/r.html").check()
