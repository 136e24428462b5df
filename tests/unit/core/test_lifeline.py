"""Processes that die with their parent: real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lsbench.core.lifeline import child_environment, own_children

CHILD = "from lsbench.core.lifeline import die_with_parent; die_with_parent(); input()"
#: Starts a child that waits for ever, tells its number, and waits.
PARENT = f"""
import subprocess, sys
from lsbench.core.lifeline import child_environment, own_children
child = subprocess.Popen(
    [sys.executable, "-c", {CHILD!r}], start_new_session=True, stdin=subprocess.PIPE, env=child_environment()
)
print(child.pid, flush=True)
input()
"""


def test_a_process_dies_with_a_parent_that_is_killed() -> None:
    pipe = subprocess.PIPE
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_whose_parent_is_gone_already_dies_at_once() -> None:
    env = {**child_environment(), "LSBENCH_PARENT": "-1"}
    orphan = subprocess.run([sys.executable, "-c", CHILD], stdin=subprocess.DEVNULL, env=env, check=False)
    assert orphan.returncode == -9


def test_a_child_is_told_its_parent_and_what_it_needs_beside(monkeypatch) -> None:
    monkeypatch.setenv("KEPT", "as it is")
    env = child_environment(THREADS="3")
    assert (env["KEPT"], env["THREADS"], env["LSBENCH_PARENT"]) == ("as it is", "3", str(os.getpid()))


#: Leaves a process in a session of its own, whose parent has ended, and says who is its parent then.
ADOPTS = """
import subprocess, sys
from lsbench.core.lifeline import adopt_orphans, end_children, own_children
kept = subprocess.Popen(["sleep", "600"])
adopt_orphans()
shell = ["sh", "-c", "setsid sleep 600 >/dev/null & echo $!"]
orphan = int(subprocess.run(shell, stdout=subprocess.PIPE, text=True).stdout)
before = own_children()
end_children([kept.pid])
print(before == {kept.pid, orphan}, own_children() == {kept.pid}, kept.poll() is None)
kept.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who adopts orphans")
def test_adopted_orphans_are_ended_and_a_child_that_is_kept_is_not() -> None:
    done = subprocess.run([sys.executable, "-c", ADOPTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 3


def test_where_the_system_does_not_tell_there_are_no_children(monkeypatch) -> None:
    monkeypatch.setattr("lsbench.core.lifeline.Path", lambda name: Path("/nowhere"))
    assert own_children() == set()
