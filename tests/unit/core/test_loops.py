import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba import config

from lsbench.core import loops
from lsbench.core.errors import DataError
from lsbench.core.loops import loop_compiler, loops_folder, try_loops
from lsbench.core.waits import told_to

FILE = loops.__file__


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def twice(value):
    return 2 * value


def test_compiled_loops_lie_below_the_cache_folder_and_numba_keeps_its_own_setting(cache):
    before = config.CACHE_DIR
    compiled = loop_compiler(FILE)(twice)
    assert before == config.CACHE_DIR
    assert compiled(21) == 42
    kept = list(cache.rglob("*.nbc"))
    assert len(kept) == 1
    assert kept[0].is_relative_to(loops_folder(FILE))
    again = loop_compiler(FILE)(twice)
    again(21)
    assert sum(again.stats.cache_hits.values()) == 1


def test_functions_that_other_loops_call_have_a_folder_for_each_content(tmp_path, cache):
    shared = tmp_path / "shared.py"
    shared.write_text("a = 1")
    first = loops_folder(str(shared))
    shared.write_text("a = 2")
    second = loops_folder(str(shared))
    assert first != second
    assert first.parent == second.parent == cache / "loops"
    both = loops_folder(FILE, str(shared))
    shared.write_text("a = 3")
    assert len({both, loops_folder(FILE, str(shared)), loops_folder(FILE)}) == 3


def test_the_folder_that_numba_was_given_counts_if_it_can_be_written(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert loops_folder(FILE).parent == tmp_path / "own"
    (tmp_path / "file").write_text("")
    for unusable in (str(tmp_path / "file"), "~", ""):
        monkeypatch.setenv("NUMBA_CACHE_DIR", unusable)
        assert loops_folder(FILE).parent == cache / "loops"
    assert not Path("~").exists()


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="LSBENCH_CACHE"):
        loop_compiler(FILE)(twice)


def test_users_who_share_a_cache_have_their_own_loops_there(cache, monkeypatch):
    shared = loops_folder(FILE)
    real = loops.is_writable
    monkeypatch.setattr(loops, "is_writable", lambda folder: folder != shared and real(folder))
    assert loops_folder(FILE) == cache / f"loops-{os.getuid()}" / shared.name


def test_the_cache_of_loops_is_tried_truly(cache, monkeypatch):
    assert try_loops().is_relative_to(cache)
    assert list(try_loops().rglob("*.nbc"))
    monkeypatch.setattr(loops, "loops_folder", lambda shared: cache / "nothing")
    monkeypatch.setattr(loops, "loop_compiler", lambda shared: numba.njit)
    with pytest.raises(RuntimeError, match="not found again"):
        try_loops()


def test_compiling_is_told_and_reading_from_disk_is_not():
    heard = []
    compiled = loop_compiler(FILE)(twice)

    def four_times(value):
        return compiled(compiled(value))

    with told_to(heard.append):
        loop_compiler(FILE)(four_times)(21)
    assert heard == ["compiling four_times of test_loops, once on this machine"], "not twice, which it calls"
    with told_to(heard.append):
        loop_compiler(FILE)(twice)(21)
    assert len(heard) == 1, "it was compiled with the other"


LOOP = """
import sys
from lsbench.core.loops import loop_compiler, make_ready

@loop_compiler(__file__)
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
