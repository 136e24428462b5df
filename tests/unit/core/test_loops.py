import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba import config

from lsbench.core import loops
from lsbench.core.errors import DataError
from lsbench.core.loops import helper_compiler, loop_compiler, loops_folder, try_loops
from lsbench.core.waits import told_to


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def twice(value):
    return 2 * value


def test_compiled_loops_lie_below_the_cache_folder_and_numba_keeps_its_own_setting(cache):
    before = config.CACHE_DIR
    compiled = loop_compiler()(twice)
    assert before == config.CACHE_DIR
    assert compiled(21) == 42
    kept = list(cache.rglob("*.nbc"))
    assert len(kept) == 1
    assert kept[0].is_relative_to(cache / "loops")
    again = loop_compiler()(twice)
    again(21)
    assert sum(again.stats.cache_hits.values()) == 1


LOOPS = {
    "bottom.py": "from lsbench.core.loops import helper_compiler\n@helper_compiler()\n"
    "def low():\n    return 1",
    "middle.py": "from lsbench.core.loops import loop_compiler\nfrom bottom import low\n"
    "@loop_compiler()\ndef high():\n    return low()",
    "intrinsics.py": "from numba.extending import intrinsic\nfrom numba import types\n@intrinsic\n"
    "def ten(_):\n    return types.int64(), lambda c, b, s, a: c.get_constant(types.int64, 10)",
    "options.py": "from lsbench.core.loops import loop_compiler\ncompiled = loop_compiler(boundscheck=False)",
    "top.py": "from options import compiled\nimport middle\nfrom intrinsics import ten\n@compiled\n"
    "def loop():\n    return middle.high() + ten()\nprint(loop(), len(loop.stats.cache_hits))",
}


def test_a_kept_loop_follows_the_files_and_options_that_it_was_compiled_with(tmp_path):
    for name, text in LOOPS.items():
        (tmp_path / name).write_text(text)

    def run():
        done = subprocess.run(
            [sys.executable, tmp_path / "top.py"], stdout=subprocess.PIPE, text=True, check=True
        )
        return [int(word) for word in done.stdout.split()]

    assert [run(), run()] == [[11, 0], [11, 1]]
    (tmp_path / "bottom.py").write_text(LOOPS["bottom.py"].replace("1", "2"))
    assert [run(), run()] == [[12, 0], [12, 1]]
    (tmp_path / "intrinsics.py").write_text(LOOPS["intrinsics.py"].replace("10", "20"))
    assert [run(), run()] == [[22, 0], [22, 1]]
    (tmp_path / "options.py").write_text(LOOPS["options.py"].replace("False", "True"))
    assert [run(), run()] == [[22, 0], [22, 1]]


def test_a_helper_is_compiled_within_loops_and_is_itself_for_python(cache):
    assert plus_one(1) == 2

    def twice_more(value):
        return 2 * plus_one(value)

    assert loop_compiler()(twice_more)(20) == 42
    assert len(list(cache.rglob("*.nbi"))) == 1


@helper_compiler()
def plus_one(value):
    return value + 1


def test_the_folder_that_numba_was_given_counts_if_it_can_be_written(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert loops_folder().parent == tmp_path / "own"
    (tmp_path / "file").write_text("")
    for unusable in (str(tmp_path / "file"), "~", ""):
        monkeypatch.setenv("NUMBA_CACHE_DIR", unusable)
        assert loops_folder().parent == cache / "loops"
    assert not Path("~").exists()


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="LSBENCH_CACHE"):
        loop_compiler()(twice)


def test_users_who_share_a_cache_have_their_own_loops_there(cache, monkeypatch):
    shared = loops_folder()
    real = loops.is_writable
    monkeypatch.setattr(loops, "is_writable", lambda folder: folder != shared and real(folder))
    assert loops_folder() == cache / f"loops-{os.getuid()}" / shared.name


def test_the_cache_of_loops_is_tried_truly(cache, monkeypatch):
    assert try_loops().is_relative_to(cache)
    assert list(try_loops().rglob("*.nbc"))
    monkeypatch.setattr(loops, "loop_compiler", lambda: numba.njit)
    with pytest.raises(RuntimeError, match="not found again"):
        try_loops()


def test_compiling_is_told_and_reading_from_disk_is_not():
    heard = []
    compiled = loop_compiler()(twice)

    def four_times(value):
        return compiled(compiled(value))

    with told_to(heard.append):
        loop_compiler()(four_times)(21)
    assert heard == ["compiling four_times of test_loops, once on this machine"], "not twice, which it calls"
    with told_to(heard.append):
        loop_compiler()(twice)(21)
    assert len(heard) == 1, "it was compiled with the other"


LOOP = """
import sys
from lsbench.core.loops import loop_compiler, make_ready

@loop_compiler()
def twice(value):
    return 2 * value

if sys.argv[1] == "ready":
    make_ready()
before = set(sys.modules)
twice(21)
print(len(twice.stats.cache_hits), len(set(sys.modules) - before))
"""


def test_what_is_ready_imports_nothing_more_to_find_a_loop(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    found = []
    for how in ("compile", "ready"):
        done = subprocess.run(
            [sys.executable, tmp_path / "loop.py", how], stdout=subprocess.PIPE, text=True, check=True
        )
        found.append([int(word) for word in done.stdout.split()])
    [(hits, imported), (hits_when_ready, imported_when_ready)] = found
    assert (hits, hits_when_ready) == (0, 1)
    assert imported > 10
    assert imported_when_ready == 0
