"""Processes that die with their parent: real ones."""

from __future__ import annotations

import subprocess
import sys

import psutil

CHILD = "import sys; from lsbench.scheduler.lifeline import die_with_parent; die_with_parent({}); input()"
#: Starts a child that waits for ever, tells its number, and waits.
PARENT = f"""
import os, subprocess, sys
code = {CHILD!r}.format(os.getpid())
child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdin=subprocess.PIPE)
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
    orphan = subprocess.run([sys.executable, "-c", CHILD.format(-1)], stdin=subprocess.DEVNULL, check=False)
    assert orphan.returncode == -9
