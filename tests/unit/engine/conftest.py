"""Several ranks of one world, as processes of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

#: A rank joins, runs the test's code with `world` and `result`, and leaves what it put into `result`.
RANK = """\
import sys, torch
from lsbench.engine.distributed import join_world, leave_world
torch.set_num_threads(1)
world, result = join_world("cpu"), {{}}
{code}
torch.save(result, sys.argv[1])
leave_world()
"""


@pytest.fixture(scope="session")
def run_ranks(
    tmp_path_factory: pytest.TempPathFactory, warm_python: str
) -> Callable[..., list[dict[str, Any]]]:
    """Run code on every rank of a world and return what each has put into `result`."""

    def run(code: str, size: int = 2) -> list[dict[str, Any]]:
        folder = tmp_path_factory.mktemp("ranks")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
        files = [folder / f"{rank}.pt" for rank in range(size)]
        ranks = [
            start(warm_python, code, file, {**where, "RANK": str(rank)}) for rank, file in enumerate(files)
        ]
        try:
            errors = [process.communicate(timeout=120)[1] for process in ranks]
        finally:
            for process in ranks:
                process.kill()
        assert [process.returncode for process in ranks] == [0] * size, errors
        return [torch.load(file, weights_only=False) for file in files]

    return run


def start(python: str, code: str, file: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [python, "-P", "-c", RANK.format(code=code), str(file)]
    return subprocess.Popen(command, env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)
