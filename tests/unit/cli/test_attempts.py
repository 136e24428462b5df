import sys

import pytest

from lsbench.cli.attempts import LOOPS, Attempt, attempt, attempts, main


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A package that cannot be imported, and one that ends the process and has printed something."""
    (tmp_path / "lsb_broken.py").write_text("raise RuntimeError('no\\nluck')")
    (tmp_path / "lsb_fatal.py").write_text("import os; print('[1, 2]'); os.kill(os.getpid(), 9)")
    (tmp_path / "lsb_leaving.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))


@pytest.mark.usefixtures("broken")
def test_what_came_of_an_import_is_said_in_one_line():
    assert attempt("json") == Attempt(True, "")
    assert attempt("lsb_broken") == Attempt(False, "RuntimeError: no luck")
    assert attempt("lsb_leaving") == Attempt(False, "SystemExit: 3")
    assert attempt("lsb_missing") == Attempt(False, "ModuleNotFoundError: No module named 'lsb_missing'")


def test_loops_are_compiled_and_read_again(monkeypatch):
    found = attempt(LOOPS)
    assert found.is_good
    assert "loops" in found.text

    def refuse():
        raise RuntimeError("cannot cache function")

    monkeypatch.setattr("lsbench.core.loops.try_loops", refuse)
    assert attempt(LOOPS) == Attempt(False, "cannot cache function")


@pytest.mark.usefixtures("broken")
def test_a_package_that_ends_the_process_ends_none_but_that():
    with attempts(["json", "lsb_broken", "lsb_fatal", "email"]) as running:
        found = running.ended()
    assert list(found) == ["json", "lsb_broken", "lsb_fatal", "email"]
    assert found["json"].is_good
    assert found["lsb_broken"].text == "RuntimeError: no luck"
    assert found["lsb_fatal"] == found["email"] == Attempt(False, "the process ended with status -9")


def test_each_line_names_what_was_tried(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["attempts", "json", "lsb_missing"])
    monkeypatch.setattr("os._exit", lambda status: None)
    main()
    first, second = capsys.readouterr().out.splitlines()
    assert first == '["json", true, ""]'
    assert second.startswith('["lsb_missing", false, "ModuleNotFoundError')
