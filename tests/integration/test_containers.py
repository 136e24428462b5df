"""A package that belongs to root, a user whom the system does not know, and no home folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lsbench

UNKNOWN = 54321
#: Without root: numba finds no place to write except below the cache of lsbench.
REFUSING = """
import os, sys
import numba.core.caching as caching
locator = next(found for found in vars(caching).values() if hasattr(found, "ensure_cache_path"))
ensure = locator.ensure_cache_path
def refuse(self):
    if not self.get_cache_path().startswith(os.path.join(os.environ["TMPDIR"], "lsbench-")):
        raise PermissionError(self.get_cache_path())
    ensure(self)
locator.ensure_cache_path = refuse
"""
RUN = "from lsbench.cli.main import main; main()"
#: The package used as a library: no command line has prepared anything.
COMPILE = """
import numpy as np
from lsbench.corruptions.random_stream import fill_doubles, stream_of
fill_doubles(stream_of(np.random.RandomState(0)), np.empty(3))
"""


def dropped():
    """Return words that run a command as an unknown user who can read everything; [] if impossible."""
    words = ["setpriv", f"--reuid={UNKNOWN}", f"--regid={UNKNOWN}", "--clear-groups"]
    words += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return []
    tried = subprocess.run([*words, sys.executable, "-c", ""], capture_output=True, check=False)
    return words if tried.returncode == 0 else []


@pytest.fixture
def place(tmp_path):
    """Folders that everyone can write, on a path that everyone can follow."""
    for name in ("work", "tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    return tmp_path


@pytest.fixture
def call(place):
    """Run code, as an unknown user if possible; return the names left beside it, and the compiled loops."""

    def run(code, *arguments, **env):
        drop = dropped()
        if not drop:
            (place / "home").mkdir(mode=0o500)
            env, code = {**env, "HOME": str(place / "home")}, REFUSING + code
        env |= {"PATH": os.environ["PATH"], "TMPDIR": str(place / "tmp"), "OMP_NUM_THREADS": "1"}
        env["PYTHONPATH"] = str(Path(lsbench.__file__).parents[1])
        words = [*drop, sys.executable, "-c", code, *arguments]
        done = subprocess.run(words, cwd=place / "work", env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        user = UNKNOWN if drop else os.getuid()
        assert {path.name for path in (place / "tmp").iterdir()} == {f"lsbench-{user}"}
        loops = place / "tmp" / f"lsbench-{user}" / "loops"
        return [path.name for path in (place / "work").iterdir()], list(loops.rglob("*.nbc"))

    return run


def test_a_user_without_home_trains_and_leaves_nothing_outside_cache_and_results(call, quick_suite):
    words = ["run", str(quick_suite), "--results", "results", "--scheduler", "inline"]
    left, loops = call(RUN, *words, HOME="/")
    assert left == ["results"]
    assert loops


def test_loops_are_compiled_for_a_library_too(call):
    left, loops = call(COMPILE)
    assert left == []
    assert loops


@pytest.fixture
def quick_suite(tiny, write_suite):
    tiny["variants"] = tiny["variants"][:1]
    tiny["jobs"] = [{"train": {"epochs": 1, "batch_size": 40}}]
    path = Path(write_suite({**tiny, "seeds": [0]}))
    path.chmod(0o644)
    return path
