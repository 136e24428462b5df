"""Processes that die with their parent: real ones."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from lsbench.core.lifeline import child_environment

CHILD = "from lsbench.core.lifeline import die_with_parent; die_with_parent(); input()"
#: Starts a child that waits for ever, tells its number, and waits.
PARENT = f"""
import subprocess, sys
from lsbench.core.lifeline import child_environment
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
