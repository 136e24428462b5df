import shlex
from pathlib import Path

import pytest

from lsbench.core.next_command import near, next_command, show_as


@pytest.mark.parametrize("results", ["results", "./results", None])
def test_the_usual_folder_is_not_named(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" if results is None else Path(results)
    assert next_command("status", results=folder, preset="default") == "lsbench status"


def test_whatever_a_command_needs_survives_a_shell():
    command = next_command(
        "run",
        "my suites/a.yaml",
        "--retry-inconclusive",
        results=Path("/tmp/a b"),
        preset="small",
        data=Path("/data"),
        limit=3,
        overrides=["a=[1, 2]", "b=x"],
    )
    flags = ["--preset", "small", "--results", "/tmp/a b", "--data", "/data", "--limit", "3"]
    flags += ["--set", "a=[1, 2]", "--set", "b=x"]
    assert shlex.split(command) == ["lsbench", "run", "my suites/a.yaml", "--retry-inconclusive", *flags]


def test_folders_below_the_working_directory_are_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / "a" / "b") == "a/b"
    assert near(Path("/elsewhere")) == "/elsewhere"
    assert next_command("status", results=tmp_path / "mine") == "lsbench status --results mine"


def test_a_copy_of_an_address_is_named_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setattr("lsbench.core.next_command._shown", {})
    show_as(tmp_path / "copy", "s3://bucket/my runs")
    assert near(tmp_path / "copy/tiny/default") == "s3://bucket/my runs/tiny/default"
    assert near(tmp_path / "copyright").endswith("/copyright")
    command = next_command("status", results=tmp_path / "copy")
    assert shlex.split(command) == ["lsbench", "status", "--results", "s3://bucket/my runs"]
