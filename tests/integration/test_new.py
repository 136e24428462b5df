"""What ``lsbench new`` writes passes its own test and the promises of its kind at once, for every kind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lsbench.cli.new import Kind, create_plugin

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a plug-in of each kind, installed as pip does into a folder beside it."""
    folder = tmp_path_factory.mktemp("new") / "fresh"
    for kind in Kind:
        create_plugin(kind, f"my_{kind}", folder)
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", f"{folder}-site"]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def pytest_run(package: Path, warm_python: str) -> Run:
    """Run a module of Python in the folder of the package."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        paths = [str(package), f"{package}-site", str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        command = [warm_python, "-P", "-m", *words]
        return subprocess.run(command, cwd=package, env=env, capture_output=True, text=True, check=False)

    return run


def test_every_own_test_passes(pytest_run: Run) -> None:
    done = pytest_run("pytest", "-q", "tests")
    assert done.returncode == 0, done.stdout
    assert f"{len(Kind)} passed" in done.stdout


def test_every_plugin_keeps_the_promises_of_its_kind(pytest_run: Run) -> None:
    chosen = [word for kind in Kind for word in (f"--{kind}", f"my_{kind}")]
    done = pytest_run("pytest", "-q", "-p", "lsbench.testing.options", "--pyargs", "lsbench.testing", *chosen)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_only_the_tests_of_what_was_chosen_run_and_a_broken_promise_fails(
    package: Path, pytest_run: Run
) -> None:
    plugin = package / "fresh" / "my_metric.py"
    text = plugin.read_text()
    plugin.write_text(
        text.replace("doubt: Tensor = 1 - logits.softmax(dim=1)", "doubt: Tensor = 1 - logits.softmax(dim=0)")
    )
    done = pytest_run("lsbench.testing", "--metric", "my_metric", "-q")
    plugin.write_text(text)
    assert done.returncode == 1, done.stdout
    assert "test_metric.py::test_it_gives_each_image_what_it_gives_it_alone[my_metric]" in done.stdout
    assert "test_mixer" not in done.stdout
