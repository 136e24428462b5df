"""Processes of runs are killed at random: what is finished stays as without kills, and nothing is left.

`python -m tests.integration.chaos --kills 200 --seed 1` does the same at length, and counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .chaos import Chaos

#: `LSBENCH_CHAOS_SEED=7` draws other kills, or repeats a failure.
SEED = int(os.environ.get("LSBENCH_CHAOS_SEED", "1"))
KILLS = int(os.environ.get("LSBENCH_CHAOS_KILLS", "12"))


@pytest.fixture
def chaos(tmp_path: Path) -> Iterator[Chaos]:
    made = Chaos(tmp_path, SEED)
    yield made
    made.close()


@pytest.mark.slow
def test_no_kill_loses_doubles_or_changes_a_result(chaos: Chaos) -> None:
    """A failed round names what differs; its seed repeats the choice of kinds and pauses."""
    expected = chaos.undisturbed()
    kills = chaos.round(1, KILLS, expected)
    assert kills, f"nothing was killed by seed {SEED}"
